package stream

func runKillRole() bool { return false }

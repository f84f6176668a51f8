package clients

const envGoProgram = "EVALWORKER_TEST_GO_PROGRAM"

func goProgram(string) int { return 2 }

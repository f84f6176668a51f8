package serve

// MaxConns is the bound of open connections.
const MaxConns = maxConns

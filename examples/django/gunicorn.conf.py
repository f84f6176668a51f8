import evalworker


def worker_exit(server, worker):
    evalworker.flush(5)  # in each worker; without this, what waits has two seconds

-- +goose Up
CREATE TABLE IF NOT EXISTS cases (
    id            TEXT    PRIMARY KEY,
    evaluator     TEXT    NOT NULL,
    type          TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    label         TEXT    NOT NULL,
    feature       TEXT    NOT NULL,
    prompt_name   TEXT    NOT NULL,
    first_version TEXT    NOT NULL,
    last_version  TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    first_seen    BIGINT  NOT NULL,
    last_seen     BIGINT  NOT NULL,
    count         BIGINT  NOT NULL
);
CREATE INDEX IF NOT EXISTS cases_last_seen ON cases (last_seen);

CREATE TABLE IF NOT EXISTS occurrences (
    request_id     TEXT   NOT NULL,
    evaluator      TEXT   NOT NULL,
    case_id        TEXT   NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
    prompt_version TEXT   NOT NULL,
    seen           BIGINT NOT NULL,
    PRIMARY KEY (request_id, evaluator)
);
CREATE INDEX IF NOT EXISTS occurrences_case ON occurrences (case_id, prompt_version);
CREATE INDEX IF NOT EXISTS occurrences_seen ON occurrences (seen);

CREATE TABLE IF NOT EXISTS exemplars (
    case_id    TEXT   NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
    request_id TEXT   NOT NULL,
    seen       BIGINT NOT NULL,
    body       TEXT   NOT NULL,
    PRIMARY KEY (case_id, request_id)
);
CREATE INDEX IF NOT EXISTS exemplars_seen ON exemplars (seen);

-- +goose Down
DROP TABLE exemplars;
DROP TABLE occurrences;
DROP TABLE cases;

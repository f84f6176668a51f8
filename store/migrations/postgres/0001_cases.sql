-- +goose Up
-- Keys compare byte by byte, whatever the database's locale: ids are searched by
-- how they begin, and the order in which rows are locked is the same for all.
CREATE TABLE cases (
    id            TEXT   COLLATE "C" PRIMARY KEY,
    evaluator     TEXT   NOT NULL,
    type          TEXT   NOT NULL,
    reason        TEXT   NOT NULL,
    label         TEXT   NOT NULL,
    feature       TEXT   NOT NULL,
    prompt_name   TEXT   NOT NULL,
    first_version TEXT   NOT NULL,
    last_version  TEXT   NOT NULL,
    status        TEXT   NOT NULL,
    first_seen    BIGINT NOT NULL,
    last_seen     BIGINT NOT NULL,
    count         BIGINT NOT NULL
);
CREATE INDEX cases_last_seen ON cases (last_seen);

-- Occurrences are written before their cases, so that racing workers wait for
-- each other before they hold a case; the reference is checked at the end.
CREATE TABLE occurrences (
    request_id     TEXT   COLLATE "C" NOT NULL,
    evaluator      TEXT   COLLATE "C" NOT NULL,
    case_id        TEXT   COLLATE "C" NOT NULL REFERENCES cases (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    prompt_version TEXT   NOT NULL,
    seen           BIGINT NOT NULL,
    PRIMARY KEY (request_id, evaluator)
);
CREATE INDEX occurrences_case ON occurrences (case_id, prompt_version);
CREATE INDEX occurrences_seen ON occurrences (seen);

CREATE TABLE exemplars (
    case_id    TEXT   COLLATE "C" NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
    request_id TEXT   COLLATE "C" NOT NULL,
    seen       BIGINT NOT NULL,
    body       TEXT   NOT NULL,
    PRIMARY KEY (case_id, request_id)
);
CREATE INDEX exemplars_seen ON exemplars (seen);

-- +goose Down
DROP TABLE exemplars;
DROP TABLE occurrences;
DROP TABLE cases;

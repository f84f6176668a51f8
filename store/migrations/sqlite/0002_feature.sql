-- +goose Up
-- A case spans features, as it spans versions of a prompt; "" is also what is not
-- known of occurrences of before.
ALTER TABLE occurrences ADD COLUMN feature TEXT NOT NULL DEFAULT '';
CREATE INDEX occurrences_feature ON occurrences (case_id, feature);

-- +goose Down
DROP INDEX occurrences_feature;
ALTER TABLE occurrences DROP COLUMN feature;

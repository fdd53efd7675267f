-- The to-do example: five changes, each with the context of the request that made it. Run it with psql in a
-- database where a slot of the plugin bemi_decoder waits; docs/tour.md shows the records that come out.

CREATE EXTENSION IF NOT EXISTS bemi_decoder;

CREATE TABLE todo (
    id           bigint PRIMARY KEY,
    task         text NOT NULL,
    is_completed boolean NOT NULL
);

-- REPLICA IDENTITY FULL: the records of UPDATE and DELETE then have the whole row in "before".
SELECT bemi.track('todo'::regclass);

BEGIN;
SELECT bemi.set_context('{"userId": 187234, "endpoint": "/todo", "params": {"task": "Sleep", "isCompleted": false}}');
INSERT INTO todo VALUES (26, 'Sleep', false);
COMMIT;

BEGIN;
SELECT bemi.set_context('{"userId": 187234, "endpoint": "/todo", "params": {"task": "Eat", "isCompleted": false}}');
INSERT INTO todo VALUES (27, 'Eat', false);
COMMIT;

BEGIN;
SELECT bemi.set_context('{"userId": 187234, "endpoint": "/todo", "params": {"task": "Repeat", "isCompleted": false}}');
INSERT INTO todo VALUES (28, 'Repeat', false);
COMMIT;

BEGIN;
SELECT bemi.set_context('{"userId": 187234, "endpoint": "/todo/complete", "params": {"id": 26}}');
UPDATE todo SET is_completed = true WHERE id = 26;
COMMIT;

BEGIN;
SELECT bemi.set_context('{"userId": 187234, "endpoint": "/todo/27", "params": {"id": 27}}');
DELETE FROM todo WHERE id = 27;
COMMIT;

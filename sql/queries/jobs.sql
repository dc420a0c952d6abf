-- Named queries on jobs. A worker that was taken for dead and goes on all the same writes nothing: what it writes names
-- the number of its attempt, which another worker's has replaced.

-- name: create
-- Makes a job and returns its id; no row where the token has made one with this idempotency key.
INSERT INTO lookalike.jobs (kind, collection_id, collection, parameters, state, token_id, idempotency_key,
                            request_digest, source_digest, reserved, local, priority, total)
VALUES (:kind, :collection_id, :collection, :parameters, 'queued', :token_id, :idempotency_key,
        :request_digest, :source_digest, :reserved, :local, :priority, :total)
ON CONFLICT (token_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING id;

-- name: by_key
-- The job that a token made with an idempotency key, and what was asked for then.
SELECT j.id, j.request_digest FROM lookalike.jobs AS j
WHERE j.idempotency_key = :idempotency_key AND j.token_id IS NOT DISTINCT FROM :token_id::integer;

-- name: ring
-- Wakes whoever listens for changes of jobs.
SELECT pg_notify('lookalike_jobs', :id::text);

-- name: find
-- Jobs, the latest first, of those that a token may see: of its collections, and its own.
SELECT j.id, j.kind, j.collection_id, j.collection, j.parameters, j.state, j.phase, j.done, j.total, j.rejected, j.bytes,
       j.indexed, j.rate, j.checkpoint, j.outcome, j.error, j.priority, j.reserved, j.local, j.worker, j.attempt,
       j.token_id, j.source_digest, j.created_at, j.started_at, j.heartbeat_at, j.finished_at
FROM lookalike.jobs AS j
WHERE (:id::bigint IS NULL OR j.id = :id)
  AND (:states::text[] IS NULL OR j.state = ANY (:states))
  AND (:kinds::text[] IS NULL OR j.kind = ANY (:kinds))
  AND (:collection_id::integer IS NULL OR j.collection_id = :collection_id)
  AND (:collections::integer[] IS NULL OR j.collection_id = ANY (:collections)
       OR (j.token_id = :token_id::integer
           AND NOT EXISTS (SELECT FROM lookalike.collections AS c WHERE c.id = j.collection_id)))
  AND (:before::bigint IS NULL OR j.id < :before)
ORDER BY j.id DESC
LIMIT :most;

-- name: name_of
-- The name that a collection has now.
SELECT c.name FROM lookalike.collections AS c WHERE c.id = :id;

-- name: candidate
-- The next job for a worker, locked; of a collection's jobs of one kind none while a worker is at another.
SELECT j.id, j.collection_id, j.kind FROM lookalike.jobs AS j
WHERE (j.state = 'queued' AND (j.reserved = :worker OR j.reserved IS NULL AND NOT j.local)
       OR j.state = 'running' AND NOT j.local
          AND j.heartbeat_at < now() - make_interval(secs => :lease_seconds::double precision))
  AND (:id::bigint IS NULL OR j.id = :id)
  AND j.kind = ANY (:kinds)
  AND NOT EXISTS (
      SELECT FROM lookalike.jobs AS o
      WHERE o.collection_id = j.collection_id AND o.kind = j.kind AND o.worker IS NOT NULL AND o.id <> j.id)
ORDER BY j.priority DESC, j.id
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: claim
-- Gives a locked job to a worker, unless another one has begun a job of the same kind on the same collection.
UPDATE lookalike.jobs AS j
SET state = 'running', worker = :worker, attempt = j.attempt + 1, reserved = NULL, heartbeat_at = clock_timestamp(),
    started_at = coalesce(j.started_at, clock_timestamp()), error = NULL
WHERE j.id = :id
  AND NOT EXISTS (
      SELECT FROM lookalike.jobs AS o
      WHERE o.collection_id = j.collection_id AND o.kind = j.kind AND o.worker IS NOT NULL AND o.id <> j.id)
RETURNING j.id, j.attempt;

-- name: wait
-- Says that the only worker that may begin a job still waits for its turn.
UPDATE lookalike.jobs AS j SET heartbeat_at = clock_timestamp()
WHERE j.id = :id AND j.state = 'queued' AND j.reserved = :worker;

-- name: sweep
-- Takes jobs from workers that are no more, where nobody goes on with them: they were to pause, were cancelled, or
-- need the machine of a command that has ended. What only such a command waited to begin is for any worker now.
UPDATE lookalike.jobs AS j
SET worker = NULL, reserved = NULL, state = CASE
        WHEN j.state = 'pausing' OR j.local AND j.state IN ('queued', 'running') THEN 'paused' ELSE j.state END
WHERE coalesce(j.heartbeat_at, j.created_at) < now() - make_interval(secs => :lease_seconds::double precision)
  AND (j.worker IS NOT NULL AND (j.state <> 'running' OR j.local) OR j.state = 'queued' AND j.reserved IS NOT NULL)
RETURNING j.id;

-- name: purge
-- Forgets jobs that ended long ago, and what they could not take.
DELETE FROM lookalike.jobs AS j
WHERE j.finished_at < now() - make_interval(days => :days) AND j.worker IS NULL;

-- name: look
-- What a worker needs to know of a job of its own; `revoked`: the token that asked for it was.
SELECT j.state, j.attempt, j.worker IS NOT NULL AS held,
       EXISTS (SELECT FROM lookalike.tokens AS t WHERE t.id = j.token_id AND t.revoked_at IS NOT NULL) AS revoked
FROM lookalike.jobs AS j WHERE j.id = :id;

-- name: beat
-- Says that a worker lives, and how far it is; what is shown never falls.
UPDATE lookalike.jobs AS j
SET heartbeat_at = clock_timestamp(), phase = :phase, done = greatest(j.done, :done),
    total = CASE WHEN :total::bigint IS NOT NULL THEN greatest(:total, j.done, :done) END,
    bytes = greatest(j.bytes, :bytes), indexed = greatest(j.indexed, :indexed::bigint), rate = :rate
WHERE j.id = (
    SELECT o.id FROM lookalike.jobs AS o
    WHERE o.id = :id AND o.attempt = :attempt AND o.worker IS NOT NULL
    FOR UPDATE SKIP LOCKED)
RETURNING j.id;

-- name: checkpoint
-- Notes where another worker would go on, in the transaction of the rows that it covers.
UPDATE lookalike.jobs AS j
SET checkpoint = :checkpoint, heartbeat_at = clock_timestamp(), phase = :phase, done = greatest(j.done, :done),
    total = CASE WHEN :total::bigint IS NOT NULL THEN greatest(:total, j.done, :done) END,
    bytes = greatest(j.bytes, :bytes), indexed = greatest(j.indexed, :indexed::bigint), rate = :rate
WHERE j.id = :id AND j.attempt = :attempt AND j.worker IS NOT NULL AND j.state IN ('running', 'pausing')
RETURNING j.id;

-- name: finish
-- Ends a worker's job in one of the states that are final; one that is done with rejects says so.
UPDATE lookalike.jobs AS j
SET state = CASE WHEN :state::text = 'done' AND j.rejected > 0 THEN 'done_with_rejects' ELSE :state END,
    worker = NULL, rate = NULL, finished_at = clock_timestamp(), outcome = :outcome, error = :error,
    phase = :phase, done = greatest(j.done, :done),
    total = CASE WHEN :total::bigint IS NOT NULL THEN greatest(:total, j.done, :done)
                 WHEN :state = 'done' THEN greatest(j.done, :done) END,
    bytes = greatest(j.bytes, :bytes), indexed = greatest(j.indexed, :indexed::bigint)
WHERE j.id = :id AND j.attempt = :attempt AND j.worker IS NOT NULL AND j.state IN ('running', 'pausing')
RETURNING j.id;

-- name: release
-- A worker lets go of its job: to pause where that was asked for, else for another worker to go on at once.
UPDATE lookalike.jobs AS j
SET worker = NULL, rate = NULL, state = CASE
        WHEN j.state = 'pausing' OR j.local AND j.state = 'running' THEN 'paused'
        WHEN j.state = 'running' THEN 'queued' ELSE j.state END
WHERE j.id = :id AND j.attempt = :attempt AND j.worker IS NOT NULL
RETURNING j.id;

-- name: pause
-- Asks for a pause; a job that nobody is at pauses at once.
UPDATE lookalike.jobs AS j SET state = CASE WHEN j.worker IS NULL THEN 'paused' ELSE 'pausing' END
WHERE j.id = :id AND j.state IN ('queued', 'running')
RETURNING j.id;

-- name: resume
-- Lets a job go on, also one that failed; `reserved` names the only worker that may take it.
UPDATE lookalike.jobs AS j
SET state = CASE WHEN j.state = 'pausing' THEN 'running' ELSE 'queued' END, reserved = :reserved,
    heartbeat_at = clock_timestamp(), finished_at = NULL, error = NULL
WHERE j.id = :id AND j.state IN ('pausing', 'paused', 'failed')
RETURNING j.id;

-- name: cancel
-- Ends a job for good: from now on its worker writes nothing more.
UPDATE lookalike.jobs AS j SET state = 'cancelled', rate = NULL, finished_at = clock_timestamp()
WHERE j.id = :id AND j.state IN ('queued', 'running', 'pausing', 'paused', 'failed')
RETURNING j.id;

-- name: reject
-- Notes records that a job could not take and counts them; one that is noted already stays.
WITH noted AS (
    INSERT INTO lookalike.job_rejects (job_id, line, id, code, reason, source)
    SELECT :id, r.line, r.id, r.code, r.reason, r.source
    FROM unnest(:lines::bigint[], :ids::text[], :codes::integer[], :reasons::text[], :sources::text[])
         AS r (line, id, code, reason, source)
    ON CONFLICT (job_id, line) DO NOTHING
    RETURNING line
)
UPDATE lookalike.jobs AS j SET rejected = j.rejected + (SELECT count(*) FROM noted)
WHERE j.id = :id AND j.attempt = :attempt AND j.worker IS NOT NULL AND j.state IN ('running', 'pausing')
RETURNING j.rejected;

-- name: rejects
-- What a job could not take, in the order of the lines, so many of them after a line.
SELECT r.line, r.id, r.code, r.reason, r.source FROM lookalike.job_rejects AS r
WHERE r.job_id = :job_id AND r.line > :after ORDER BY r.line LIMIT :most;

-- name: seen
-- Says that a worker waits for jobs, or is at one, and forgets those that were not seen for a day.
WITH gone AS (DELETE FROM lookalike.job_workers AS w WHERE w.seen_at < now() - interval '1 day')
INSERT INTO lookalike.job_workers AS w (name, seen_at) VALUES (:name, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at;

-- name: left
-- Says that a worker takes no more jobs.
DELETE FROM lookalike.job_workers AS w WHERE w.name = :name;

-- name: workers
-- The workers that were seen lately, by name.
SELECT w.name, w.seen_at FROM lookalike.job_workers AS w
WHERE w.seen_at > now() - make_interval(secs => :lease_seconds::double precision) ORDER BY w.name;

-- name: asked_for_by_others
-- Whether a job other than this one reads the same source, or may yet.
SELECT EXISTS (
    SELECT FROM lookalike.jobs AS j
    WHERE j.source_digest = :source_digest AND j.id <> :id AND j.state NOT IN ('done', 'done_with_rejects', 'cancelled')
) AS asked;

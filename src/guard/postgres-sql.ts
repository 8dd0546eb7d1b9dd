// What the guard keeps in PostgreSQL (13 or later), as text that any migration tool takes. It may be run again, also by
// several at once, and it runs in one transaction (`psql --single-transaction`). It contains no dollar sign but those of
// function bodies, and nothing that depends on the schema it is installed in: the functions remember theirs.

/** SQLSTATEs of the guard; classes that begin with I to Z are free for use. */
export const staleTokenState = 'LK412'
export const invalidTokenState = 'LK400'

/** The text to install; a function rather than a file, because compiling leaves files behind. */
export function postgresGuardSql(): string {
  return `${tokensSql}\n${guardedTablesSql}`
}

const tokensSql = `-- Holdfast's guard: refuses writes of former holders of a lock.
SELECT pg_advisory_xact_lock(hashtextextended('holdfast_guard', 0));

-- One row for every resource that was ever guarded; rows are never deleted, or former holders could write again. Every
-- guarded write makes a new version of its row: the room left in each page lets it stay there, without a new index entry.
CREATE TABLE IF NOT EXISTS holdfast_tokens (
  resource      text   CONSTRAINT holdfast_tokens_resource PRIMARY KEY,
  fencing_token bigint NOT NULL
) WITH (fillfactor = 50);

-- Call it in the transaction of the guarded write, before everything else. It raises ${staleTokenState} when a higher token was
-- seen. Otherwise it keeps the resource to this transaction until that ends, so that nobody can be overtaken between the
-- check and the commit, and remembers the token if the transaction commits.
--
-- The row is written for an equal token, too: under REPEATABLE READ and SERIALIZABLE a transaction that waited here goes on
-- with the snapshot it had before, and only a row that was written since makes that a serialization failure (40001).
CREATE OR REPLACE FUNCTION holdfast_guard(resource text, token bigint) RETURNS void
LANGUAGE plpgsql AS $guard$
DECLARE
  highest bigint;
BEGIN
  IF resource IS NULL OR resource = '' OR token IS NULL OR token NOT BETWEEN 1 AND 9007199254740991 THEN
    RAISE EXCEPTION 'a guard takes a resource and a token from 1 to 2^53 - 1, not % and %', resource, token
      USING ERRCODE = '${invalidTokenState}';
  END IF;
  INSERT INTO holdfast_tokens AS seen VALUES (holdfast_guard.resource, holdfast_guard.token)
    ON CONFLICT ON CONSTRAINT holdfast_tokens_resource DO UPDATE SET fencing_token = EXCLUDED.fencing_token
      WHERE seen.fencing_token <= EXCLUDED.fencing_token;
  IF NOT FOUND THEN
    SELECT seen.fencing_token INTO highest FROM holdfast_tokens AS seen WHERE seen.resource = holdfast_guard.resource;
    RAISE EXCEPTION 'token % is stale for %: % was seen', token, resource, highest
      USING ERRCODE = '${staleTokenState}', DETAIL = json_build_object('token', token, 'highest', highest)::text;
  END IF;
END
$guard$;
`

const guardedTablesSql = `-- The trigger's part: in a guarded table the column fencing_token is always written, and never goes down in a row.
CREATE OR REPLACE FUNCTION holdfast_refuse_stale_row() RETURNS trigger
LANGUAGE plpgsql AS $guard$
BEGIN
  IF NEW.fencing_token IS NULL OR NEW.fencing_token NOT BETWEEN 1 AND 9007199254740991 THEN
    RAISE EXCEPTION 'a write to % names a fencing_token from 1 to 2^53 - 1, not %', TG_TABLE_NAME, NEW.fencing_token
      USING ERRCODE = '${invalidTokenState}';
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF NEW.fencing_token < OLD.fencing_token THEN
      RAISE EXCEPTION 'token % is stale for a row of %: % was seen', NEW.fencing_token, TG_TABLE_NAME, OLD.fencing_token
        USING ERRCODE = '${staleTokenState}',
          DETAIL = json_build_object('token', NEW.fencing_token, 'highest', OLD.fencing_token)::text;
    END IF;
  END IF;
  RETURN NEW;
END
$guard$;

-- Makes a table a guarded one: SELECT holdfast_guard_table('accounts'). Rows that are there keep no token (NULL) until
-- they are next written. Triggers run in the order of their names, and this one has to see what the others made of the
-- row. It runs before the write because one that runs after it is not called for a row that moves to another partition.
CREATE OR REPLACE FUNCTION holdfast_guard_table(guarded regclass) RETURNS void
LANGUAGE plpgsql AS $guard$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = guarded AND attname = 'fencing_token') THEN
    EXECUTE format('ALTER TABLE %s ADD COLUMN fencing_token bigint', guarded);
  END IF;
  IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = guarded AND tgname = 'zz_holdfast_guard') THEN
    EXECUTE format('CREATE TRIGGER zz_holdfast_guard BEFORE INSERT OR UPDATE ON %s '
      'FOR EACH ROW EXECUTE FUNCTION holdfast_refuse_stale_row()', guarded);
  END IF;
END
$guard$;

-- Whoever calls them, the functions mean the tables of this schema, and no temporary ones of the same name.
DO $guard$
BEGIN
  EXECUTE format('ALTER FUNCTION holdfast_guard SET search_path = %I, pg_temp', current_schema());
  EXECUTE format('ALTER FUNCTION holdfast_guard_table SET search_path = %I, pg_temp', current_schema());
END
$guard$;

-- What is remembered does not go down either, whoever writes there.
SELECT holdfast_guard_table('holdfast_tokens');
`

// The guard in PostgreSQL: the highest token is compared and remembered in the same transaction as the write it guards, so
// a former holder's write cannot land after a newer holder's, whatever was paused where. postgres-sql.ts is its other half.
//
// It works with whatever has the `query` of the package `pg`. Errors of the database pass through unchanged, but for those
// of the guard's own SQLSTATEs.
import { GuardError, isGuardError, staleToken } from './errors.ts'
import { checkFence } from './fence.ts'
import type { Fence, HighestTokens } from './fence.ts'
import { invalidTokenState, postgresGuardSql, staleTokenState } from './postgres-sql.ts'

/** What is used of a `pg` client or pool. */
export interface PostgresQueries {
  query(text: string, values?: unknown[]): Promise<{ readonly command?: string }>
}

export interface GuardedTransaction extends Fence {
  /**
   * The server ends the transaction when it hears nothing of us for so long in the middle of it: a former holder that is
   * paused there would otherwise keep the next one waiting. Default: 10,000.
   */
  readonly idleMs?: number
}

/** Creates what the guard needs, in the first schema of the search path; may be repeated. */
export async function installPostgresGuard(queries: PostgresQueries): Promise<void> {
  // One message of many statements is one transaction.
  await queries.query(postgresGuardSql())
}

/**
 * Runs `work` in a transaction that is refused with `token_stale`, before `work` is called, when a higher token was seen
 * for the resource. What `work` does must go through this client, and must leave BEGIN, COMMIT and ROLLBACK to us.
 *
 * Rejects with what `work` rejected with, after a rollback. A serialization failure (40001) or a deadlock (40P01) is to be
 * repeated from the beginning; when the connection breaks during COMMIT, nobody knows, and an equal token may try again.
 */
export async function guardedTransaction<Client extends PostgresQueries, Result>(
  client: Client,
  { resource, token, idleMs = 10_000 }: GuardedTransaction,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  checkFence({ resource, token })
  refusePool(client)
  await client.query('BEGIN')
  let result: Result
  try {
    const idle = "set_config('idle_in_transaction_session_timeout', $3, true)"
    await client.query(`SELECT ${idle}, holdfast_guard($1, $2)`, [resource, token, `${idleMs}ms`])
    result = await work(client)
  } catch (error) {
    await rollBack(client)
    throw guardErrorOf(error, { resource, token })
  }
  const { command } = await client.query('COMMIT')
  // COMMIT of a transaction in which a statement failed is a ROLLBACK that succeeds.
  if (command !== 'ROLLBACK') return result
  throw new GuardError('not_committed', 'a statement had failed, and its error did not reach us: nothing was written', {
    details: { resource, token },
  })
}

/** Highest tokens in PostgreSQL, for doors: durable, and the same for all processes. A pool does, too. */
export function postgresTokens(queries: PostgresQueries): HighestTokens {
  return {
    admit: async (fence) => {
      checkFence(fence)
      try {
        await queries.query('SELECT holdfast_guard($1, $2)', [fence.resource, fence.token])
        return { kind: 'admitted' }
      } catch (error) {
        const guarded = guardErrorOf(error, fence)
        if (!isGuardError(guarded) || guarded.code !== 'token_stale') throw guarded
        return { kind: 'stale', highest: guarded.details.highest ?? null }
      }
    },
  }
}

/**
 * The `GuardError` that an error of PostgreSQL stands for; any other error as it is. Also for writes that only a trigger
 * guards, and for those who call `holdfast_guard` themselves.
 */
export function guardErrorOf(error: unknown, fence: Fence): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error
  if (error.code === invalidTokenState) {
    return new GuardError('invalid_token', error.message, { details: fence, cause: error })
  }
  if (error.code !== staleTokenState) return error
  return staleToken({ ...fence, highest: highestIn('detail' in error ? error.detail : undefined) }, error)
}

function highestIn(detail: unknown): number | null {
  const found = typeof detail === 'string' ? /"highest" ?: ?([0-9]+)/.exec(detail) : null
  return found === null ? null : Number(found[1])
}

/** The first error is the one to tell; a connection that cannot roll back is broken, which its next user is told. */
async function rollBack(client: PostgresQueries): Promise<void> {
  try {
    await client.query('ROLLBACK')
  } catch {
    // Without a connection the server rolls back by itself.
  }
}

/** Each query of a pool goes to any of its connections: BEGIN to one, the write to another. */
function refusePool(client: PostgresQueries): void {
  if ('totalCount' in client && 'idleCount' in client) {
    throw new GuardError('invalid_option', 'a transaction needs one connection: pass what `await pool.connect()` gives')
  }
}

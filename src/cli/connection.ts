// From the flags of a command to the cluster: a client, which keeps alive what it holds, or the bare calls of the API.
import type { Static } from 'typebox'
import { LockClient } from '../client/lock-client.ts'
import { Operations } from '../client/operations.ts'
import { resolveOptions } from '../client/options.ts'
import { processSurroundings } from '../client/surroundings.ts'
import type { ClientOptions } from '../client/types.ts'
import type * as api from '../http/api.ts'
import type { ConnectionFlags } from './flags.ts'
import type { Output } from './output.ts'
import { printable } from './table.ts'

export type LockNow = Static<typeof api.LockView>
export type LockSummary = Static<typeof api.LocksView>['locks'][number]
export type Holder = LockNow['holders'][number]
export type SessionNow = Static<typeof api.SessionView>
export type SessionSummary = Static<typeof api.SessionsView>['sessions'][number]
export type ClusterNow = Static<typeof api.ClusterView>

/** Close it with `closeClient`. */
export function openClient(
  { endpoints, timeout }: ConnectionFlags,
  { ttlMs, owner }: { readonly ttlMs: number; readonly owner: string | undefined },
): LockClient {
  return new LockClient({ endpoints, timeoutMs: timeout, ttlMs, ...(owner === undefined ? {} : { owner }) })
}

/** What a client had open is given back, as far as the cluster answers soon: somebody waits for the end of this process. */
const closeMaxMs = 3000

export async function closeClient(client: LockClient, output: Output): Promise<void> {
  const { unconfirmed } = await client.close({ timeoutMs: closeMaxMs })
  for (const { what, name } of unconfirmed)
    output.remark(`the cluster did not confirm that the ${what} ${printable(name)} is given back: it ends by itself`)
}

export interface Store extends AsyncDisposable {
  readonly operations: Operations
}

/** Disposing of it waits for what has to be taken back: a request that was given up. */
export function openStore({ endpoints, timeout }: ConnectionFlags, owner?: string): Store {
  const surroundings = processSurroundings()
  const asked: ClientOptions = { endpoints, timeoutMs: timeout, ...(owner === undefined ? {} : { owner }) }
  const operations = new Operations({ surroundings, options: resolveOptions(asked) })
  return {
    operations,
    [Symbol.asyncDispose]: async () => {
      await operations.settled({ timeoutMs: Math.min(timeout, closeMaxMs) })
      surroundings.close()
    },
  }
}

// Who holds a lock, as the cluster says; and how a hold is ended without its holder.
import type { Holder } from './held-leases.ts'
import type { Members } from './members.ts'

/** With a token: only if it is that of the holder. Rejects when there is no such holder. */
export async function readHolder(
  members: Members,
  { lock, token }: { readonly lock: string; readonly token: number | null },
): Promise<Holder> {
  const { status, body } = await members.ask({ method: 'GET', url: `/v1/locks/${encodeURIComponent(lock)}` })
  if (status !== 200) throw unexpected(status, body)
  const holder = holdersIn(body).find((held) => token === null || held.token === token)
  if (holder === undefined) throw new Error(`lock ${lock} is not held${token === null ? '' : ` under token ${token}`}`)
  return { lock, ...holder }
}

/** Repeatable; what has ended meanwhile is fine. */
export async function endHold(members: Members, { lock, token, session }: Holder): Promise<void> {
  const { status, body } =
    session === null
      ? await members.ask({
          method: 'POST',
          url: `/v1/locks/${encodeURIComponent(lock)}/release`,
          payload: { token },
        })
      : await members.ask({ method: 'DELETE', url: `/v1/sessions/${encodeURIComponent(session)}` })
  if (![200, 204, 412].includes(status)) throw unexpected(status, body)
}

function unexpected(status: number, body: unknown): Error {
  return new Error(`the cluster answered ${status} ${JSON.stringify(body)}`)
}

function holdersIn(body: unknown): Omit<Holder, 'lock'>[] {
  const holders = isRecord(body) && Array.isArray(body['holders']) ? body['holders'] : []
  return holders.flatMap((holder: unknown) => {
    if (!isRecord(holder) || typeof holder['token'] !== 'number') return []
    const session = holder['session']
    return [{ token: holder['token'], session: typeof session === 'string' ? session : null }]
  })
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

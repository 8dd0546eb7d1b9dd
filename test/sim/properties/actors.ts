// The clients of a schedule: what each of them is at, and what it asks for next. Every call is kept for the judgement, and
// leaves the line of TypeScript that makes it.
import { assert } from '../../../src/assert.ts'
import { asIndex, asRequestId } from '../../../src/ids.ts'
import type { SessionId, Token } from '../../../src/ids.ts'
import type { Machine } from '../machine.ts'
import { someLock } from '../script.ts'
import type { Script, Told } from '../script.ts'
import type { Call, Spoken } from './judge.ts'
import { clientNames } from './schedule.ts'
import type { ClientName } from './schedule.ts'

const sessionTtlMs = 8000
const grantTtlMs = 5000
/** The longest that a request waits. */
export const waitMs = 8000
/** An attempt with a session is answered after so long, its place is kept. */
const pollMs = 2000

interface Attempt {
  /** Its name in the printed script. */
  readonly name: string
  readonly told: Told
}

interface Grant {
  /** Of the attempt that was told of it. */
  readonly name: string
  readonly token: Token
}

interface Actor {
  readonly name: ClientName
  session: SessionId | null
  /** The request it is at: all its attempts carry the same id; null when it wants nothing. */
  request: { readonly id: string; readonly attempts: Attempt[] } | null
  /** What it released last, to be released again. */
  released: Grant | null
  requests: number
  attempts: number
}

export class Actors {
  readonly calls: Call[] = []
  readonly #script: Script
  readonly #print: (line: string) => void
  readonly #actors: ReadonlyMap<ClientName, Actor>
  /** Calls whose clients do not listen any more. */
  readonly #hungUp = new Set<Spoken>()

  constructor(script: Script, print: (line: string) => void) {
    this.#script = script
    this.#print = print
    const fresh = { session: null, request: null, released: null, requests: 0, attempts: 0 }
    this.#actors = new Map(clientNames.map((name) => [name, { name, ...fresh }]))
  }

  openSession(client: ClientName): void {
    const script = this.#script
    this.#print(`const ${client} = script.openSession(script.leader, ${sessionTtlMs})`)
    const sentAt = script.now
    const result = script.openSession(script.leader, sessionTtlMs)
    this.#actor(client).session = result.session
    const reply = { kind: 'outcome', index: asIndex(script.world.lockChecks.index), result } as const
    this.calls.push({ kind: 'openSession', client, told: { reply, sentAt, repliedAt: script.now } })
  }

  /** Asks under a new request id, or under that of the request the client is at. */
  ask(client: ClientName, at: Machine): void {
    const actor = this.#actor(client)
    const { session } = actor
    actor.request ??= this.#newRequest(actor)
    const { id, attempts } = actor.request
    const name = `${client}${++actor.attempts}`
    this.#print(`const ${name} = script.acquire(${at.id}, ${client}Request${actor.requests})`)
    const times = session === null ? { ttlMs: grantTtlMs } : { session, pollMs }
    const told = this.#script.acquire(at, { requestId: asRequestId(id), waitMs, ...times })
    attempts.push({ name, told })
    this.calls.push({ kind: 'ask', client, request: id, told })
  }

  /** Of the calls that are not answered yet, the oldest. */
  hangUp(client: ClientName): void {
    const open = this.#openAttempts(client)[0]
    if (open !== undefined) this.#hangUpOne(open)
  }

  /** Listens no longer to its calls, and asks for the same again. */
  retry(client: ClientName, at: Machine): void {
    for (const attempt of this.#openAttempts(client)) this.#hangUpOne(attempt)
    this.ask(client, at)
  }

  /** What it asks for next is another request. */
  giveUp(client: ClientName): void {
    for (const attempt of this.#openAttempts(client)) this.#hangUpOne(attempt)
    this.#actor(client).request = null
  }

  /** Releases what it was granted or, when it has done that, the same again. */
  release(client: ClientName, at: Machine): void {
    const actor = this.#actor(client)
    const grant = grantOf(actor) ?? actor.released
    if (grant === null) return
    const { name, token } = grant
    this.#print(`script.send(${at.id}, {`)
    this.#print(`  kind: 'release', lock: someLock, token: grantOf(${name}).token, session: null,`)
    this.#print('})')
    const told = this.#script.send(at, { kind: 'release', lock: someLock, token, session: null })
    this.calls.push({ kind: 'release', client, token, told })
    if (actor.released === grant) return
    actor.released = grant
    actor.request = null
  }

  renew(client: ClientName, at: Machine): void {
    const actor = this.#actor(client)
    if (actor.session !== null) {
      this.#print(`script.renew(${at.id}, ${client}.session)`)
      this.calls.push({ kind: 'renewSession', client, told: this.#script.renew(at, actor.session) })
      return
    }
    const grant = grantOf(actor)
    if (grant === null) return
    const { name, token } = grant
    this.#print(`script.send(${at.id}, {`)
    this.#print(`  kind: 'renewGrant', lock: someLock, token: grantOf(${name}).token, ttlMs: null,`)
    this.#print('})')
    const told = this.#script.send(at, { kind: 'renewGrant', lock: someLock, token, ttlMs: null })
    this.calls.push({ kind: 'renewGrant', client, token, told })
  }

  read(at: Machine): void {
    this.#print(`script.beginRead(${at.id})`)
    this.calls.push({ kind: 'read', told: this.#script.beginRead(at) })
  }

  /** Everybody who holds lets go. */
  letGo(at: Machine): void {
    for (const [client, actor] of this.#actors) if (grantOf(actor) !== null) this.release(client, at)
  }

  /** Calls that were never answered, although somebody listens. */
  get unanswered(): readonly Call[] {
    return this.calls.filter((call) => {
      if (call.kind === 'read') return call.told.token === 'waiting'
      return call.told.reply === null && !this.#hungUp.has(call.told)
    })
  }

  /** Long enough for the API, and told apart at a glance. */
  #newRequest(actor: Actor): NonNullable<Actor['request']> {
    const { name, session } = actor
    const id = `${name}-${++actor.requests}-0000000000000000`
    const own = session === null ? `ttlMs: ${grantTtlMs}` : `session: ${name}.session, pollMs: ${pollMs}`
    this.#print(`const ${name}Request${actor.requests} = {`)
    this.#print(`  requestId: asRequestId('${id}'), waitMs: ${waitMs}, ${own},`)
    this.#print('}')
    return { id, attempts: [] }
  }

  #openAttempts(client: ClientName): readonly Attempt[] {
    const attempts = this.#actor(client).request?.attempts ?? []
    return attempts.filter(({ told }) => told.reply === null && !this.#hungUp.has(told))
  }

  #hangUpOne({ name, told }: Attempt): void {
    this.#print(`${name}.hangUp()`)
    told.hangUp()
    this.#hungUp.add(told)
  }

  #actor(name: ClientName): Actor {
    const actor = this.#actors.get(name)
    assert(actor !== undefined, () => `there is ${name}`)
    return actor
  }
}

/** The grant that the client has been told of. */
function grantOf({ request }: Actor): Grant | null {
  for (const { name, told } of request?.attempts ?? []) {
    const { reply } = told
    if (reply?.kind === 'outcome' && reply.result.kind === 'granted') return { name, token: reply.result.token }
  }
  return null
}

// The fields of each kind of record that do not stand in its key, as a MessagePack row, and back with every type
// checked. A new layout is a new tag in `record.ts`.
import { unreachable } from '../assert.ts'
import { asClusterTime, asLockName, asRequestId, asRun, asSequence, asSessionId, asToken } from '../ids.ts'
import type { ClusterTime, SessionId, Token } from '../ids.ts'
import type { Origin } from '../lockfsm/command.ts'
import type {
  EndedTokenRecord,
  RecordName,
  RememberedRequestRecord,
  RequestRecord,
  SessionRecord,
  StateRecord,
} from '../lockfsm/records.ts'
import type { Attempt } from '../lockfsm/state.ts'
import { takeNodeId } from './identities.ts'
import { FormatError, pack } from './packr.ts'
import type { Reader } from './packr.ts'

const hows = ['released', 'expired', 'session_closed', 'unclaimed', 'withdrawn', 'refused'] as const
const ends = ['expired', 'session_closed', 'unclaimed'] as const

const idMax = 128
const lockNameMax = 512
const ownerMax = 512
const metadataMax = 4096
/** Above every limit on attempts. */
const attemptsMax = 1_000

export function valueOf(record: StateRecord): Uint8Array {
  switch (record.kind) {
    case 'counters':
      return pack([record.time, record.nextSequence, record.nextToken, record.nextEnding])
    case 'nodeRun':
      return pack([record.run, record.number])
    case 'session':
      return pack(sessionFields(record))
    case 'request':
      return pack(requestFields(record))
    case 'rememberedRequest':
      return pack([hows.indexOf(record.how), record.token])
    case 'rememberedOpening':
      return pack([record.session])
    case 'releasedToken':
      return pack([record.lock])
    case 'endedToken':
      return pack([record.token, record.lock, ends.indexOf(record.endedBy), record.endedAt])
    default:
      return unreachable(record)
  }
}

export function takeFields(name: RecordName, reader: Reader): StateRecord {
  switch (name.kind) {
    case 'counters':
      return {
        kind: 'counters',
        time: takeTime(reader),
        nextSequence: asSequence(reader.count()),
        nextToken: asToken(reader.count()),
        nextEnding: reader.count(),
      }
    case 'nodeRun':
      return { ...name, run: asRun(reader.count()), number: reader.count() }
    case 'session':
      return takeSession(name, reader)
    case 'request':
      return takeRequest(name, reader)
    case 'rememberedRequest':
      return { ...name, ...takeMemory(reader) }
    case 'rememberedOpening':
      return { ...name, session: asSessionId(reader.text(idMax)) }
    case 'releasedToken':
      return { ...name, lock: asLockName(reader.text(lockNameMax)) }
    case 'endedToken':
      return takeEndedToken(name, reader)
    default:
      return unreachable(name)
  }
}

function sessionFields(record: SessionRecord): readonly unknown[] {
  return [
    record.requestId,
    record.openedTtlMs,
    record.ttlMs,
    record.deadline,
    record.name,
    record.metadata,
    record.attempts.map(({ node, run, number }) => [node, run, number]),
    record.giveBackAt,
    record.claimed,
  ]
}

function takeSession({ sequence }: Pick<SessionRecord, 'sequence'>, reader: Reader): SessionRecord {
  return {
    kind: 'session',
    sequence,
    requestId: asRequestId(reader.text(idMax)),
    openedTtlMs: reader.count(),
    ttlMs: reader.count(),
    deadline: takeTime(reader),
    name: reader.textOrNull(ownerMax),
    metadata: reader.textOrNull(metadataMax),
    attempts: reader.rows(attemptsMax).map(takeOrigin),
    giveBackAt: takeTimeOrNull(reader),
    claimed: reader.flag(),
  }
}

function takeOrigin(row: Reader): Origin {
  const origin = { node: takeNodeId(row), run: asRun(row.count()), number: row.count() }
  row.end()
  return origin
}

function requestFields(record: RequestRecord): readonly unknown[] {
  return [
    record.requestId,
    record.lock,
    record.session,
    record.owner,
    record.metadata,
    record.askedTtlMs,
    record.ttlMs,
    record.attempts.map(({ node, run, number, carriedAt, pollUntil }) => [node, run, number, carriedAt, pollUntil]),
    record.token,
    record.since,
    record.deadline,
    record.giveBackAt,
    record.claimed,
  ]
}

function takeRequest({ sequence }: Pick<RequestRecord, 'sequence'>, reader: Reader): RequestRecord {
  return {
    kind: 'request',
    sequence,
    requestId: asRequestId(reader.text(idMax)),
    lock: asLockName(reader.text(lockNameMax)),
    session: takeSessionIdOrNull(reader),
    owner: reader.textOrNull(ownerMax),
    metadata: reader.textOrNull(metadataMax),
    askedTtlMs: reader.countOrNull(),
    ttlMs: reader.countOrNull(),
    attempts: reader.rows(attemptsMax).map(takeAttempt),
    token: takeTokenOrNull(reader),
    since: takeTime(reader),
    deadline: takeTimeOrNull(reader),
    giveBackAt: takeTimeOrNull(reader),
    claimed: reader.flag(),
  }
}

function takeAttempt(row: Reader): Attempt {
  const attempt = {
    node: takeNodeId(row),
    run: asRun(row.count()),
    number: row.count(),
    carriedAt: takeTime(row),
    pollUntil: takeTime(row),
  }
  row.end()
  return attempt
}

/** Who never held has no token, everybody else has one. */
function takeMemory(reader: Reader): Pick<RememberedRequestRecord, 'how' | 'token'> {
  const how = takeOneOf(hows, reader)
  const token = takeTokenOrNull(reader)
  const neverHeld = how === 'withdrawn' || how === 'refused'
  if ((token === null) !== neverHeld) throw new FormatError('a token that does not fit the end')
  return { how, token }
}

function takeEndedToken({ ordinal }: Pick<EndedTokenRecord, 'ordinal'>, reader: Reader): EndedTokenRecord {
  return {
    kind: 'endedToken',
    token: asToken(reader.count()),
    lock: asLockName(reader.text(lockNameMax)),
    endedBy: takeOneOf(ends, reader),
    endedAt: takeTime(reader),
    ordinal,
  }
}

function takeOneOf<Word>(words: readonly Word[], reader: Reader): Word {
  const word = words[reader.count()]
  if (word === undefined) throw new FormatError('an unknown word')
  return word
}

function takeTime(reader: Reader): ClusterTime {
  return asClusterTime(reader.count())
}

function takeTimeOrNull(reader: Reader): ClusterTime | null {
  const time = reader.countOrNull()
  return time === null ? null : asClusterTime(time)
}

function takeTokenOrNull(reader: Reader): Token | null {
  const token = reader.countOrNull()
  return token === null ? null : asToken(token)
}

function takeSessionIdOrNull(reader: Reader): SessionId | null {
  const session = reader.textOrNull(idMax)
  return session === null ? null : asSessionId(session)
}

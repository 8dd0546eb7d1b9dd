// Commands as bytes. Each is encoded once, at the node that numbered it, and travels unchanged: to the leader, into the
// payload of an entry (one behind the other), to every disk. Layout: [node, run, number, tag, fields of the kind ..].
// Tags are part of the format on disk: they are never given a new meaning.
import { unreachable } from '../assert.ts'
import { asClusterTime, asLockName, asRequestId, asRun, asSessionId, asToken } from '../ids.ts'
import type { Acquire, Command, NumberedCommand, Origin } from '../lockfsm/command.ts'
import { takeNodeId } from './identities.ts'
import { FormatError, pack, unpack, unpackSequence } from './packr.ts'
import type { Reader } from './packr.ts'

const tags = {
  nodeStarted: 1,
  // 2 was a nodeLost without the number.
  openSession: 3,
  renewSessions: 4,
  closeSession: 5,
  acquire: 6,
  release: 7,
  renewGrant: 8,
  cancelRequest: 9,
  withdraw: 10,
  nodeLost: 11,
} as const

const idMax = 128
const lockNameMax = 512
const ownerMax = 512
const metadataMax = 4096
const listMax = 10_000

export function encodeCommand({ origin, command }: NumberedCommand): Uint8Array {
  return pack([origin.node, origin.run, origin.number, tags[command.kind], ...fieldsOf(command)])
}

/** Decodes one command; FormatError when it is none. */
export function decodeCommand(bytes: Uint8Array): NumberedCommand {
  return takeCommand(unpack(bytes))
}

/** Decodes the payload of an entry: commands one behind the other, none in an empty one. */
export function decodePayload(payload: Uint8Array): readonly NumberedCommand[] {
  const commands: NumberedCommand[] = []
  if (payload.length > 0) unpackSequence(payload, (reader) => commands.push(takeCommand(reader)))
  return commands
}

function fieldsOf(command: Command): readonly unknown[] {
  switch (command.kind) {
    case 'nodeStarted':
      return []
    case 'nodeLost':
      return [command.node, command.run, command.number]
    case 'openSession':
      return [command.requestId, command.ttlMs, command.name, command.metadata, command.takenInAt]
    case 'renewSessions':
      return [command.renewals.map(({ session, ttlMs }) => [session, ttlMs])]
    case 'closeSession':
      return [command.session]
    case 'acquire':
      return [
        command.lock,
        command.session,
        command.requestId,
        command.mode,
        command.ttlMs,
        command.waitMs,
        command.pollMs,
        command.owner,
        command.metadata,
        command.takenInAt,
      ]
    case 'release':
      return [command.lock, command.token, command.session]
    case 'renewGrant':
      return [command.lock, command.token, command.ttlMs]
    case 'cancelRequest':
      return [command.lock, command.session, command.requestId]
    case 'withdraw':
      return [
        command.attempts.map(({ of, session, requestId, number }) => [
          of === 'openSession',
          session,
          requestId,
          number,
        ]),
      ]
    default:
      return unreachable(command)
  }
}

function takeCommand(reader: Reader): NumberedCommand {
  const origin: Origin = { node: takeNodeId(reader), run: asRun(reader.count()), number: reader.count() }
  const command = takeBody(reader.count(), reader)
  reader.end()
  return { origin, command }
}

function takeBody(tag: number, reader: Reader): Command {
  switch (tag) {
    case tags.nodeStarted:
      return { kind: 'nodeStarted' }
    case tags.nodeLost:
      return {
        kind: 'nodeLost',
        node: takeNodeId(reader),
        run: asRun(reader.count()),
        number: reader.count(),
      }
    case tags.openSession:
      return {
        kind: 'openSession',
        requestId: asRequestId(reader.text(idMax)),
        ttlMs: reader.count(),
        name: reader.textOrNull(ownerMax),
        metadata: reader.textOrNull(metadataMax),
        takenInAt: asClusterTime(reader.count()),
      }
    case tags.renewSessions:
      return {
        kind: 'renewSessions',
        renewals: reader.rows(listMax).map((row) => ({ session: takeSession(row), ttlMs: row.countOrNull() })),
      }
    case tags.closeSession:
      return { kind: 'closeSession', session: takeSession(reader) }
    case tags.acquire:
      return takeAcquire(reader)
    case tags.release:
      return {
        kind: 'release',
        lock: asLockName(reader.text(lockNameMax)),
        token: asToken(reader.count()),
        session: takeSessionOrNull(reader),
      }
    case tags.renewGrant:
      return {
        kind: 'renewGrant',
        lock: asLockName(reader.text(lockNameMax)),
        token: asToken(reader.count()),
        ttlMs: reader.countOrNull(),
      }
    case tags.cancelRequest:
      return {
        kind: 'cancelRequest',
        lock: asLockName(reader.text(lockNameMax)),
        session: takeSessionOrNull(reader),
        requestId: asRequestId(reader.text(idMax)),
      }
    case tags.withdraw:
      return {
        kind: 'withdraw',
        attempts: reader.rows(listMax).map((row) => ({
          of: row.flag() ? 'openSession' : 'acquire',
          session: takeSessionOrNull(row),
          requestId: asRequestId(row.text(idMax)),
          number: row.count(),
        })),
      }
    default:
      throw new FormatError(`unknown command ${tag}`)
  }
}

function takeAcquire(reader: Reader): Acquire {
  return {
    kind: 'acquire',
    lock: asLockName(reader.text(lockNameMax)),
    session: takeSessionOrNull(reader),
    requestId: asRequestId(reader.text(idMax)),
    mode: takeMode(reader),
    ttlMs: reader.countOrNull(),
    waitMs: reader.count(),
    pollMs: reader.count(),
    owner: reader.textOrNull(ownerMax),
    metadata: reader.textOrNull(metadataMax),
    takenInAt: asClusterTime(reader.count()),
  }
}

function takeMode(reader: Reader): 'exclusive' {
  const mode = reader.text(16)
  if (mode !== 'exclusive') throw new FormatError('unknown mode')
  return mode
}

function takeSession(reader: Reader) {
  return asSessionId(reader.text(idMax))
}

function takeSessionOrNull(reader: Reader) {
  const session = reader.textOrNull(idMax)
  return session === null ? null : asSessionId(session)
}

// The one place that builds things: flags and environment -> stores, network, node, HTTP -> a running process, and its
// end. Order at the start: the stores are opened, clients are listened to (they are told that nothing is served yet), and
// only then do the peers hear of this node. Whatever ends the process otherwise than a stop leaves one clear last line
// on stderr and an exit code of its own (exit-codes.ts).
import { existsSync } from 'node:fs'
import { lookup } from 'node:dns/promises'
import { join } from 'node:path'
import type { FastifyBaseLogger } from 'fastify'
import { hashRecord, voidKeys } from './codec/record.ts'
import { addressText, ConfigError, readConfig, usage } from './config.ts'
import type { Config } from './config.ts'
import { exitCodes } from './exit-codes.ts'
import type { Ending } from './exit-codes.ts'
import type { App } from './http/door.ts'
import { createLog, writeReport } from './http/log.ts'
import { buildServer } from './http/server.ts'
import { defaultLimits } from './lockfsm/state.ts'
import { HoldfastNode } from './node/node.ts'
import type { NodeParts, NodeSetup } from './node/node.ts'
import { createProcessHost, createVolume } from './node/process-host.ts'
import { createTcpWire } from './node/tcp.ts'
import type { TcpWire } from './node/tcp.ts'
import { restore } from './node/restore.ts'
import { defaultRaftOptions } from './raft/state.ts'
import { hashBackup, readBackup } from './storage/backup-file.ts'
import { BackupError } from './storage/backup-format.ts'
import { FormatVersionError, LockedError } from './storage/damage.ts'
import { FoundingFile } from './storage/founding-store.ts'
import type { FoundingRecord, Restored } from './storage/founding-store.ts'
import { openLevelLogStore } from './storage/level-log-store.ts'
import { openLevelStateStore, wipeState } from './storage/level-state-store.ts'
import { DamagedError } from './storage/log-store.ts'
import { DamagedStateError } from './storage/state-store.ts'
import type { StateStore } from './storage/state-store.ts'

/** Larger than any frame that a node makes. */
const frameBytesMax = 16 * 1024 * 1024
/** What may wait for a peer that does not read: a little more than the core has under way to it. */
const peerQueueBytesMax = 32 * 1024 * 1024
const dialTimeoutMs = 2000
const stopMs = 5000
const sameSignalMs = 200
/** How long the last answers have to leave, and requests that are half sent may keep their connections. */
const answersLeaveMs = 1000

interface Parts {
  readonly log: FastifyBaseLogger
  readonly node: HoldfastNode
  readonly server: App
  readonly wire: TcpWire
}

/** null until everything is built. */
let running: Parts | null = null
let stoppingSince = -Infinity

if (process.argv.includes('--help')) {
  process.stdout.write(`${usage()}\n`)
} else {
  process.on('uncaughtException', endAsBug)
  process.on('unhandledRejection', endAsBug)
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  start().then((parts) => {
    running = parts
    if (stoppingSince > -Infinity) stop(parts)
  }, endBecause)
}

async function start(): Promise<Parts> {
  const config = readConfig(process.argv.slice(2), process.env)
  const log = createLog(config.id, config.logLevel)
  const foundingStore = new FoundingFile(join(config.dataFolder, 'founding'))
  // Before anything is written: a file that is wrong leaves no trace.
  const restored = config.restore === null ? null : await takeOver(config.restore, foundingStore.read())
  const store = await openLevelLogStore(join(config.dataFolder, 'log'))
  const stateFolder = join(config.dataFolder, 'state')
  let state = await openState(stateFolder, log)
  const wire = await createTcpWire({
    listen: config.peerListen,
    peers: config.members,
    frameBytesMax,
    queueBytesMax: peerQueueBytesMax,
    dialTimeoutMs,
  })
  const host = createProcessHost({
    report: (report) => writeReport(log, report),
    fatal: ({ code, message, advice }) => end(code, `${message}. ${advice}`),
  })
  const volume = createVolume(config.dataFolder)
  const resetState: NodeParts['resetState'] = (done) => {
    const reopen = (): Promise<StateStore> => emptyState(stateFolder)
    state
      .close()
      .then(reopen)
      .then(
        (opened) => {
          state = opened
          process.nextTick(done, null, opened)
        },
        (error: unknown) => process.nextTick(done, asError(error), null),
      )
  }
  const parts = { host, wire, store, state, resetState, foundingStore, volume }
  const node = new HoldfastNode(nodeSetup(config, restored), parts)
  const peerAddresses = new Map([...config.members].map(([id, address]) => [id, addressText(address)]))
  const server = await buildServer(node, { log, peerAddresses, withProcessMetrics: true })
  // By number: a name may stand for several addresses, and each would be another server.
  const { address } = await lookup(config.http.host)
  await server.listen({ host: address, port: config.http.port })
  log.info({ http: config.httpUrl, peers: addressText(config.peerListen), data: config.dataFolder }, 'started')
  node.start()
  return { log, node, server, wire }
}

function nodeSetup(config: Config, restored: Restored | null): NodeSetup {
  const { id, members, httpUrl, heartbeatMs, electionTimeoutMinMs, electionTimeoutMaxMs, diskLowBytes } = config
  return {
    self: id,
    members: [...members.keys()],
    httpUrl,
    limits: defaultLimits,
    raft: { ...defaultRaftOptions, heartbeatMs, electionTimeoutMinMs, electionTimeoutMaxMs },
    keeping: config.keeping,
    diskLowBytes,
    restored,
  }
}

/** A state that is damaged costs only itself: the log is intact, and the node gets a snapshot (DESIGN 6). */
async function openState(folder: string, log: FastifyBaseLogger): Promise<StateStore> {
  try {
    return await openLevelStateStore(folder, { rules: { hashRecord, voidKeys } })
  } catch (error) {
    if (!(error instanceof DamagedStateError)) throw error
    log.error(`the state is given up: ${error.message}`)
    return emptyState(folder)
  }
}

async function emptyState(folder: string): Promise<StateStore> {
  await wipeState(folder)
  return openLevelStateStore(folder, { rules: { hashRecord, voidKeys } })
}

/** What the backup gives to a new cluster; a node that was founded from it may be started by the same line again. */
async function takeOver(path: string, founding: FoundingRecord | null): Promise<Restored> {
  if (founding === null) {
    const sha256 = await hashBackup(path)
    return restore({ path, sha256, parts: readBackup(path), limits: defaultLimits })
  }
  const { clusterId, restored } = founding
  const isSame = restored !== null && (!existsSync(path) || (await hashBackup(path)) === restored.sha256)
  if (isSame) return restored
  throw new ConfigError(
    `--restore: this node belongs to cluster ${clusterId} already, which was not founded from ${path}`,
  )
}

/** The first signal asks for an orderly stop, another ends the process at once. */
function onSignal(): void {
  const now = performance.now()
  // A terminal, or a supervisor, may tell the process as well as its group: that is one signal.
  if (now - stoppingSince < sameSignalMs) return
  if (stoppingSince > -Infinity) end('stop_cut_short', 'stopped by a second signal')
  stoppingSince = now
  setTimeout(() => end('stop_cut_short', `the stop took longer than ${stopMs} ms`), stopMs)
  if (running !== null) stop(running)
}

/** Every call is answered by the node; then the server has only to let go of connections that nobody owes anything. */
function stop({ log, node, server, wire }: Parts): void {
  log.info('stopping')
  node.stop(() => {
    setInterval(() => server.server.closeIdleConnections(), 50)
    setTimeout(() => server.server.closeAllConnections(), answersLeaveMs)
    Promise.all([server.close(), wire.close()]).then(() => {
      log.info('stopped')
      process.exit(0)
    }, endBecause)
  })
}

/** What a failed start, or stop, means. */
function endBecause(error: unknown): never {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (error instanceof ConfigError) end('config', `${error.message}. --help lists all flags`)
  if (error instanceof LockedError) end('locked', error.message)
  if (error instanceof FormatVersionError) end(error.code, error.message)
  if (error instanceof BackupError) end('backup_damaged', `${textOf(error)}. Nothing was changed`)
  if (error instanceof DamagedError) end('damaged', error.message)
  if (code === 'EADDRINUSE')
    end('address_in_use', `${textOf(error)}. Stop who listens there, or give this node another address`)
  // Codes of the system and of LevelDB; any other error is our own.
  if (/^(E[A-Z]+|LEVEL_[A-Z_]+)$/.test(code)) end('cannot_start', textOf(error))
  endAsBug(error)
}

/** Where it happened stands above the last line. */
function endAsBug(error: unknown): never {
  if (error instanceof Error) process.stderr.write(`${error.stack}\n`)
  end('bug', textOf(error))
}

/** Writes the last line of the process. */
function end(ending: Ending, message: string): never {
  process.stderr.write(`holdfast: ${ending}: ${message.replaceAll('\n', ' ')}\n`)
  process.exit(exitCodes[ending].code)
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message
}

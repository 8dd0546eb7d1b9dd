// Every tunable of a node with its default, unit and limits: from flags, or from the environment where a flag is absent.
import { parseArgs } from 'node:util'
import { asNodeId } from './ids.ts'
import type { NodeId } from './ids.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface Config {
  readonly id: NodeId
  /** Addresses at which the members reach each other, ascending by id. */
  readonly members: ReadonlyMap<NodeId, Address>
  /** Where this node listens for peers; its own member address unless set. */
  readonly peerListen: Address
  /** Where this node listens for clients. */
  readonly http: Address
  /** How clients and other nodes name that address. */
  readonly httpUrl: string
  readonly dataFolder: string
  readonly heartbeatMs: number
  readonly electionTimeoutMinMs: number
  readonly electionTimeoutMaxMs: number
  /** Free disk space below which new work is refused; 0: never. */
  readonly diskLowBytes: number
  /** Found the cluster from this backup. */
  readonly restore: string | null
  readonly keeping: KeepingSizes
  readonly logLevel: LogLevel
}

/** When checkpoints are made, and how much of the log is kept behind them. */
export interface KeepingSizes {
  readonly entries: number
  readonly records: number
  readonly logBytes: number
  readonly tailBytes: number
  readonly heldBytesMax: number
}

export type LogLevel = (typeof logLevels)[number]
export const logLevels = ['error', 'warn', 'info', 'debug', 'silent'] as const

/** A flag or variable that is missing or makes no sense. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code = 'config'
}

/** One line of the table in the README. */
export interface Option {
  readonly flag: string
  readonly variable: string
  readonly meaning: string
  readonly byDefault: string
}

export const options: readonly Option[] = [
  { flag: 'id', variable: 'HOLDFAST_ID', meaning: 'member id of this node', byDefault: 'required' },
  {
    flag: 'members',
    variable: 'HOLDFAST_MEMBERS',
    meaning: 'all members and where their peers reach them: `n1=host:port,n2=..`; the same on every node',
    byDefault: 'required',
  },
  { flag: 'data', variable: 'HOLDFAST_DATA', meaning: 'folder of this node', byDefault: '`.holdfast/<id>`' },
  { flag: 'http', variable: 'HOLDFAST_HTTP', meaning: 'where to listen for clients', byDefault: '`127.0.0.1:7100`' },
  {
    flag: 'http-url',
    variable: 'HOLDFAST_HTTP_URL',
    meaning: 'how others name that address, for `Holdfast-Leader`',
    byDefault: '`http://<http>`',
  },
  {
    flag: 'peer-listen',
    variable: 'HOLDFAST_PEER_LISTEN',
    meaning: 'where to listen for peers',
    byDefault: 'own address in `members`',
  },
  { flag: 'heartbeat-ms', variable: 'HOLDFAST_HEARTBEAT_MS', meaning: 'pause between heartbeats', byDefault: '75' },
  {
    flag: 'election-timeout-min-ms',
    variable: 'HOLDFAST_ELECTION_TIMEOUT_MIN_MS',
    meaning: 'election timeouts are drawn from here ..',
    byDefault: '500',
  },
  {
    flag: 'election-timeout-max-ms',
    variable: 'HOLDFAST_ELECTION_TIMEOUT_MAX_MS',
    meaning: '.. to here',
    byDefault: 'twice the minimum',
  },
  {
    flag: 'disk-low-bytes',
    variable: 'HOLDFAST_DISK_LOW_BYTES',
    meaning: 'new work is refused while less disk space is free; 0: never',
    byDefault: '268435456 (256 MiB)',
  },
  {
    flag: 'checkpoint-entries',
    variable: 'HOLDFAST_CHECKPOINT_ENTRIES',
    meaning: 'a checkpoint is due when so many entries were applied since the last ..',
    byDefault: '10000',
  },
  {
    flag: 'checkpoint-records',
    variable: 'HOLDFAST_CHECKPOINT_RECORDS',
    meaning: '.. or so many records have changed ..',
    byDefault: '20000',
  },
  {
    flag: 'checkpoint-log-bytes',
    variable: 'HOLDFAST_CHECKPOINT_LOG_BYTES',
    meaning: '.. or the log has grown by so much',
    byDefault: '8388608 (8 MiB)',
  },
  {
    flag: 'log-tail-bytes',
    variable: 'HOLDFAST_LOG_TAIL_BYTES',
    meaning: 'log kept behind a checkpoint, for members that were away',
    byDefault: '4194304 (4 MiB)',
  },
  {
    flag: 'log-held-bytes',
    variable: 'HOLDFAST_LOG_HELD_BYTES',
    meaning: 'log kept at most while a snapshot or a backup is being sent',
    byDefault: '1073741824 (1 GiB)',
  },
  {
    flag: 'restore',
    variable: 'HOLDFAST_RESTORE',
    meaning: 'found the cluster from this backup; the same file on every node',
    byDefault: 'none',
  },
  { flag: 'log-level', variable: 'HOLDFAST_LOG_LEVEL', meaning: logLevels.join(', '), byDefault: 'info' },
]

/** Reads flags and, where they are absent, variables. Throws ConfigError naming the flag. */
export function readConfig(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): Config {
  const flags = parseFlags(args)
  const text = (flag: string, byDefault?: string): string => {
    const option = options.find((known) => known.flag === flag)
    const value = flags[flag] ?? environment[option?.variable ?? ''] ?? byDefault
    if (value === undefined || value === '') throw new ConfigError(`--${flag} (or ${option?.variable}) is missing`)
    return value
  }
  const count = (flag: string, byDefault: number): number =>
    parseCount(flag, text(flag, String(byDefault)), 1, 1024 ** 5)
  const members = parseMembers(text('members'))
  const id = asNodeId(text('id'))
  const own = members.get(id)
  if (own === undefined) throw new ConfigError(`--id ${id} is not among --members`)
  const http = parseAddress('http', text('http', '127.0.0.1:7100'))
  const electionTimeoutMinMs = parseCount('election-timeout-min-ms', text('election-timeout-min-ms', '500'), 50, 60_000)
  const heartbeatMs = parseCount('heartbeat-ms', text('heartbeat-ms', '75'), 10, 10_000)
  if (heartbeatMs * 3 > electionTimeoutMinMs)
    throw new ConfigError('--heartbeat-ms must be at most a third of the election timeout')
  return {
    id,
    members,
    peerListen: parseAddress('peer-listen', text('peer-listen', addressText(own))),
    http,
    httpUrl: parseUrl('http-url', text('http-url', `http://${addressText(http)}`)),
    dataFolder: text('data', `.holdfast/${id}`),
    heartbeatMs,
    electionTimeoutMinMs,
    electionTimeoutMaxMs: parseCount(
      'election-timeout-max-ms',
      text('election-timeout-max-ms', String(2 * electionTimeoutMinMs)),
      electionTimeoutMinMs + 1,
      120_000,
    ),
    diskLowBytes: parseCount('disk-low-bytes', text('disk-low-bytes', String(256 * 1024 ** 2)), 0, 1024 ** 5),
    restore: flags['restore'] ?? (environment['HOLDFAST_RESTORE'] || null),
    keeping: {
      entries: count('checkpoint-entries', 10_000),
      records: count('checkpoint-records', 20_000),
      logBytes: count('checkpoint-log-bytes', 8 * 1024 ** 2),
      tailBytes: count('log-tail-bytes', 4 * 1024 ** 2),
      heldBytesMax: count('log-held-bytes', 1024 ** 3),
    },
    logLevel: parseLevel(text('log-level', 'info')),
  }
}

function parseFlags(args: readonly string[]): Readonly<Record<string, string | undefined>> {
  try {
    const known = Object.fromEntries(options.map(({ flag }) => [flag, { type: 'string' as const }]))
    return parseArgs({ args: [...args], options: known, strict: true, allowPositionals: false }).values
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error))
  }
}

function parseMembers(text: string): ReadonlyMap<NodeId, Address> {
  const members = new Map<NodeId, Address>()
  for (const part of text.split(',').sort()) {
    const [id = '', address = '', ...rest] = part.split('=')
    if (!/^[A-Za-z0-9._-]{1,32}$/.test(id) || rest.length > 0)
      throw new ConfigError(`--members: "${part}" is not id=host:port`)
    if (members.has(asNodeId(id))) throw new ConfigError(`--members names ${id} twice`)
    members.set(asNodeId(id), parseAddress('members', address))
  }
  if (members.size > 9) throw new ConfigError('--members: a cluster has at most 9')
  return members
}

/** `host:port`; IPv6 hosts in brackets. */
function parseAddress(flag: string, text: string): Address {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port < 1 || port > 65_535) throw new ConfigError(`--${flag}: "${text}" is not host:port`)
  return { host, port }
}

function parseCount(flag: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new ConfigError(`--${flag}: "${text}" is not a whole number from ${min} to ${max}`)
  }
  return value
}

/** As it will stand in a header: parsed and written anew. */
function parseUrl(flag: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new ConfigError(`--${flag}: "${text}" is not an http address`)
  return url.href.replace(/\/$/, '')
}

function parseLevel(text: string): LogLevel {
  const level = logLevels.find((known) => known === text)
  if (level === undefined) throw new ConfigError(`--log-level: "${text}" is none of ${logLevels.join(', ')}`)
  return level
}

/** `host:port`, as parseAddress reads it. */
export function addressText({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** What --help prints. */
export function usage(): string {
  const lines = options.map(
    ({ flag, variable, meaning, byDefault }) => `  --${flag}  (${variable})\n      ${meaning}; default: ${byDefault}`,
  )
  return ['holdfast: one node of a replicated lock store', '', ...lines].join('\n').replaceAll('`', '')
}

// Flags that commands share, and how their texts become values. What is wrong is said before anything is sent.
import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { parseDuration } from './durations.ts'

/** Those of a local cluster (cluster.sh). */
const localEndpoints = 'http://127.0.0.1:7101,http://127.0.0.1:7102,http://127.0.0.1:7103'

export interface ConnectionFlags {
  readonly endpoints: readonly string[]
  /** In milliseconds. */
  readonly timeout: number
  readonly json: boolean
}

/** Every command that talks to the cluster has them. */
export function withConnection(command: Command): Command {
  return command
    .addOption(
      new Option('--endpoints <list>', 'nodes, separated by commas; one is enough, all are better')
        .env('HOLDFAST_ENDPOINTS')
        .default(parseEndpoints(localEndpoints), localEndpoints)
        .argParser(parseEndpoints),
    )
    .addOption(
      new Option('--timeout <duration>', 'how long a call may take, with all its repetitions, beyond --wait')
        .default(10_000, '10s')
        .argParser(duration({ minMs: 1 })),
    )
    .option('--json', 'machines read the output', false)
}

/** Shown before the usage: what people look for. */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  return command.addHelpText('before', `${examples.map((example) => `  ${example}`).join('\n')}\n`)
}

export function ttlOption(): Option {
  return new Option('--ttl <duration>', 'how long the lock outlives its last renewal')
    .default(30_000, '30s')
    .argParser(duration({ minMs: 1000, maxMs: 86_400_000 }))
}

export function ownerOption(): Option {
  return new Option('--owner <text>', 'shown to others (default: host name and process)')
}

export function everyOption(): Option {
  return new Option('--every <duration>', 'how often the cluster is asked')
    .default(1000, '1s')
    .argParser(duration({ minMs: 100 }))
}

/** For `argParser`: milliseconds. */
export function duration(range: { readonly minMs?: number; readonly maxMs?: number }): (text: string) => number {
  const { minMs = 0, maxMs = Number.MAX_SAFE_INTEGER } = range
  return (text) => {
    const ms = parseDuration(text)
    if (ms === null) throw new InvalidArgumentError('Durations look like 500ms, 3s, 2m or 1h.')
    if (ms < minMs) throw new InvalidArgumentError(`At least ${minMs}ms.`)
    if (ms > maxMs) throw new InvalidArgumentError(`At most ${Math.floor(maxMs / 1000)}s.`)
    return ms
  }
}

/** The same, or `forever`. */
export function durationOrForever(text: string): number {
  return text === 'forever' ? Infinity : duration({})(text)
}

export function count(range: { readonly min: number; readonly max?: number }): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < range.min || value > (range.max ?? Number.MAX_SAFE_INTEGER))
      throw new InvalidArgumentError(
        `A whole number from ${range.min}${range.max === undefined ? '' : ` to ${range.max}`}.`,
      )
    return value
  }
}

/** Origins; `http://` may be left out. */
function parseEndpoints(text: string): readonly string[] {
  const endpoints = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseEndpoint)
  if (endpoints.length === 0) throw new InvalidArgumentError('There is none in it.')
  return [...new Set(endpoints)]
}

function parseEndpoint(text: string): string {
  const address = text.includes('://') ? text : `http://${text}`
  const url = URL.canParse(address) ? new URL(address) : null
  const isOrigin = url !== null && url.pathname === '/' && url.search === '' && url.username === ''
  if (!isOrigin || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError(`"${text}" is not an address like http://127.0.0.1:7101.`)
  return url.origin
}

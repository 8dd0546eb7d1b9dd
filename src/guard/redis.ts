// The guard in Redis: one script compares the token, remembers it and runs the guarded commands, so that a former holder's
// write cannot land after a newer holder's. It is as durable as that Redis is: README.md says which settings it needs.
//
// It works with whatever has the `evalsha` and `eval` of `ioredis`, also with its `Cluster`. Errors of Redis pass through
// unchanged, but for those of the script's own.
import { createHash } from 'node:crypto'
import { GuardError, staleToken } from './errors.ts'
import { checkFence } from './fence.ts'
import type { Fence, HighestTokens, Verdict } from './fence.ts'
import { guardScript } from './redis-script.ts'

/** What is used of an `ioredis` client. */
export interface RedisScripts {
  evalsha(sha1: string, keyCount: number, ...keysAndArguments: RedisWord[]): Promise<unknown>
  eval(script: string, keyCount: number, ...keysAndArguments: RedisWord[]): Promise<unknown>
}

export type RedisWord = string | number | Buffer

export interface GuardedSet extends Fence {
  readonly key: string
  readonly value: RedisWord
  /** Of the value; what is remembered of the token stays. */
  readonly ttlMs?: number
}

export interface GuardedCommands extends Fence {
  /**
   * As `redis-cli` takes them, one list of words each, but every key is said to be one: `['INCRBY', { key: 'stock' }, 5]`.
   * In Redis Cluster all keys contain `hashTag(resource)`.
   */
  readonly commands: readonly (readonly (RedisWord | RedisKey)[])[]
}

export interface RedisKey {
  readonly key: string
}

/** Lua hands a command's words over on its stack, which has room for some thousands. */
const wordsMax = 1000

/**
 * Keys that contain the same tag live in the same slot of Redis Cluster, which a script demands: name them
 * `${hashTag(resource)}:state` or so. Braces in the name of the resource would end the tag early, so they are encoded.
 */
export function hashTag(resource: string): string {
  return `{${resource.replace(/[%{}]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)}}`
}

/** Where the highest token of a resource is remembered: a key without a time to live that nobody else may touch. */
export function guardKey(resource: string): string {
  return `holdfast:guard:${hashTag(resource)}`
}

/** Sets `key` unless a higher token was seen for the resource: then it rejects with `token_stale`. */
export async function guardedSet(redis: RedisScripts, options: GuardedSet): Promise<void> {
  const { resource, token, key, value, ttlMs } = options
  const expiry = ttlMs === undefined ? [] : ['PX', ttlMs]
  await guardedCommands(redis, { resource, token, commands: [['SET', { key }, value, ...expiry]] })
}

/**
 * Runs the commands, all or none of them unless one fails in the middle, and gives their replies; rejects with
 * `token_stale` when a higher token was seen for the resource. Retries of the client run them again under the same token:
 * prefer commands that may be repeated.
 */
export async function guardedCommands(redis: RedisScripts, guarded: GuardedCommands): Promise<unknown[]> {
  const { resource, token, commands } = guarded
  checkFence({ resource, token })
  const oversized = commands.find(({ length }) => length === 0 || length > wordsMax)
  if (oversized !== undefined) {
    throw new GuardError('invalid_option', `a command has 1 to ${wordsMax} words, not ${oversized.length}`)
  }
  const [first, ...replies] = await run(redis, { resource, token }, written(commands))
  if (first === 'admitted') return replies
  throw staleToken({ resource, token, highest: Number(replies[0]) })
}

/** Highest tokens in Redis, for doors: the same for all processes. */
export function redisTokens(redis: RedisScripts): HighestTokens {
  return {
    admit: async (fence): Promise<Verdict> => {
      checkFence(fence)
      const [first, highest] = await run(redis, fence, { keys: [], words: [] })
      return first === 'admitted' ? { kind: 'admitted' } : { kind: 'stale', highest: Number(highest) }
    },
  }
}

interface Written {
  readonly keys: readonly string[]
  readonly words: readonly RedisWord[]
}

/** The commands as the script reads them: its first key is the guard's, so the first of these is number 2. */
function written(commands: GuardedCommands['commands']): Written {
  const keys: string[] = []
  const words: RedisWord[] = []
  for (const command of commands) {
    words.push(command.length)
    for (const word of command) {
      if (typeof word !== 'object' || Buffer.isBuffer(word)) words.push(0, word)
      else words.push(keys.push(word.key) + 1)
    }
  }
  return { keys, words }
}

const scriptSha1 = createHash('sha1').update(guardScript).digest('hex')

async function run(redis: RedisScripts, { resource, token }: Fence, { keys, words }: Written): Promise<unknown[]> {
  const given = [1 + keys.length, guardKey(resource), ...keys, String(token), ...words] as const
  const reply = await evaluate(redis, given).catch((error: unknown) => {
    throw guardErrorOf(error, { resource, token })
  })
  if (Array.isArray(reply)) return reply
  throw new GuardError('memory_damaged', 'Redis answered the guard’s script with something else than it returns')
}

/** A Redis that was restarted, or has failed over, does not know the script: it is sent once more. */
async function evaluate(
  redis: RedisScripts,
  given: readonly [keyCount: number, ...keysAndArguments: RedisWord[]],
): Promise<unknown> {
  try {
    return await redis.evalsha(scriptSha1, ...given)
  } catch (error) {
    if (!isReply(error, 'NOSCRIPT')) throw error
    return await redis.eval(guardScript, ...given)
  }
}

function guardErrorOf(error: unknown, fence: Fence): unknown {
  if (isReply(error, 'HOLDFASTTOKEN')) {
    return new GuardError('invalid_token', error.message, { details: fence, cause: error })
  }
  if (isReply(error, 'HOLDFASTDAMAGED')) {
    return new GuardError('memory_damaged', error.message, { details: fence, cause: error })
  }
  return error
}

function isReply(error: unknown, prefix: string): error is Error {
  return error instanceof Error && error.message.startsWith(prefix)
}

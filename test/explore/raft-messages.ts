// Messages and entries have numbers here: equal ones the same, so that a link is a short list of numbers and an entry a
// byte. None of them names a member, which is why exchanging members leaves them as they are.
import { assert, AssertionFailure } from '../../src/assert.ts'
import { asClusterTime, asIndex, asTerm } from '../../src/ids.ts'
import type { Entry } from '../../src/raft/entry.ts'
import type { Message } from '../../src/raft/message.ts'

const messages: Message[] = []
const numbers = new Map<string, number>()

/** Pre-votes are not under way here (raft-steps.ts). */
export function numberOf(message: Message): number {
  const key = keyOf(message)
  const known = numbers.get(key)
  if (known !== undefined) return known
  assert(messages.length < 65_536, 'numbers of messages fit into two bytes')
  const entries = 'entries' in message ? message.entries.map((entry) => entryOf(entry.index, codeOf(entry))) : []
  messages.push('entries' in message ? { ...message, entries: Object.freeze(entries) } : message)
  numbers.set(key, messages.length - 1)
  return messages.length - 1
}

export function messageOf(number: number): Message {
  const message = messages[number]
  assert(message !== undefined, `message ${number} was sent`)
  return message
}

function keyOf(message: Message): string {
  const { kind, term } = message
  switch (kind) {
    case 'requestVote':
      return `v ${term} ${message.lastLogIndex} ${message.lastLogTerm} ${message.transfer}`
    case 'requestVoteResponse':
      return `V ${term} ${message.granted}`
    case 'appendEntries': {
      const { prevLogIndex, prevLogTerm, entries, leaderCommit, round } = message
      return `a ${term} ${prevLogIndex} ${prevLogTerm} ${leaderCommit} ${round} ${entries.map(codeOf).join()}`
    }
    case 'appendAccepted':
      return `A ${term} ${message.round} ${message.matchIndex}`
    case 'appendRejected':
      return `R ${term} ${message.round} ${message.rejectedIndex} ${message.hintIndex} ${message.hintTerm}`
    default:
      throw new AssertionFailure(`${kind} is not explored`)
  }
}

/** The command in an entry, from 1; 0 for an empty one. */
export function commandOf({ payload }: Entry): number {
  const [byte] = payload
  return byte === undefined ? 0 : byte - 96
}

export function payloadOf(command: number): Uint8Array {
  return Uint8Array.of(96 + command)
}

const entriesByCode: (Entry | undefined)[] = []

/** Term and command of an entry, in a byte. Its time is always 0. */
export function codeOf(entry: Entry): number {
  assert(entry.term < 16 && entry.time === 0, `entry of term ${entry.term} at time ${entry.time} is not explored`)
  return entry.term * 16 + commandOf(entry)
}

export function entryOf(index: number, code: number): Entry {
  const known = entriesByCode[index * 256 + code]
  if (known !== undefined) return known
  const command = code & 15
  const entry = Object.freeze({
    index: asIndex(index),
    term: asTerm(code >>> 4),
    time: asClusterTime(0),
    payload: command === 0 ? new Uint8Array(0) : payloadOf(command),
  })
  entriesByCode[index * 256 + code] = entry
  return entry
}

// What an entry says to the members (its note) as bytes, between the numbers of its value and its payload: one byte for the
// kind, and after it the texts that go with the kind, each behind a byte that says how long it is.
import type { EntryNote } from '../raft/entry.ts'
import { unreachable } from '../assert.ts'
import { toIncarnation, toNodeId } from './checked-json.ts'

/** On disk for ever: a tag is never used again for something else. */
const tags = { none: 0, checkpoint: 1, memberReplaced: 2 } as const

const none = Buffer.of(tags.none)
const checkpoint = Buffer.of(tags.checkpoint)

export function encodeNote(note: EntryNote | undefined): Buffer {
  if (note === undefined) return none
  switch (note.kind) {
    case 'checkpoint':
      return checkpoint
    case 'memberReplaced':
      return Buffer.concat([Buffer.of(tags.memberReplaced), textBytes(note.member), textBytes(note.incarnation)])
    default:
      return unreachable(note)
  }
}

export interface DecodedNote {
  /** null: the entry has none. */
  readonly note: EntryNote | null
  /** Where the payload begins. */
  readonly end: number
}

/** null when there is no note of ours at `start`. */
export function decodeNote(value: Buffer, start: number): DecodedNote | null {
  switch (value[start]) {
    case tags.none:
      return { note: null, end: start + 1 }
    case tags.checkpoint:
      return { note: { kind: 'checkpoint' }, end: start + 1 }
    case tags.memberReplaced: {
      const first = readText(value, start + 1)
      const second = first === null ? null : readText(value, first.end)
      if (first === null || second === null) return null
      const member = toNodeId(first.text)
      const incarnation = toIncarnation(second.text)
      if (member === null || incarnation === null) return null
      return { note: { kind: 'memberReplaced', member, incarnation }, end: second.end }
    }
    default:
      return null
  }
}

function textBytes(text: string): Buffer {
  return Buffer.concat([Buffer.of(Buffer.byteLength(text)), Buffer.from(text)])
}

function readText(value: Buffer, start: number): { text: string; end: number } | null {
  const length = value[start]
  if (length === undefined) return null
  const end = start + 1 + length
  return end > value.length ? null : { text: value.toString('utf8', start + 1, end), end }
}

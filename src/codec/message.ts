// Raft messages as rows of a frame: [tag, term, fields of the kind ..]. Entries follow each other, so only the first
// index is sent, and a decoded append is contiguous by construction.
import { unreachable } from '../assert.ts'
import { asClusterTime, asIndex, asTerm } from '../ids.ts'
import type { Entry, EntryNote } from '../raft/entry.ts'
import type { Message } from '../raft/message.ts'
import { takeIncarnation, takeNodeId } from './identities.ts'
import { FormatError } from './packr.ts'
import type { Reader } from './packr.ts'

const tags = {
  preVote: 1,
  preVoteResponse: 2,
  requestVote: 3,
  requestVoteResponse: 4,
  appendEntries: 5,
  appendAccepted: 6,
  appendRejected: 7,
  timeoutNow: 8,
  readIndex: 9,
  readIndexResponse: 10,
} as const

const noteTags = { checkpoint: 1, memberReplaced: 2 } as const

/** More entries than any leader puts into one append. */
const entriesMax = 1_000_000

export function messageRow(message: Message): readonly unknown[] {
  const { term } = message
  const tag = tags[message.kind]
  switch (message.kind) {
    case 'preVote':
      return [tag, term, message.poll, message.lastLogIndex, message.lastLogTerm]
    case 'preVoteResponse':
      return [tag, term, message.poll, message.granted]
    case 'requestVote':
      return [tag, term, message.lastLogIndex, message.lastLogTerm, message.transfer]
    case 'requestVoteResponse':
      return [tag, term, message.granted]
    case 'appendEntries': {
      const { prevLogIndex, prevLogTerm, leaderCommit, round, entries } = message
      return [tag, term, prevLogIndex, prevLogTerm, leaderCommit, round, entries.map(entryRow)]
    }
    case 'appendAccepted':
      return [tag, term, message.round, message.matchIndex]
    case 'appendRejected':
      return [tag, term, message.round, message.rejectedIndex, message.hintIndex, message.hintTerm]
    case 'timeoutNow':
      return [tag, term, message.lastLogIndex]
    case 'readIndex':
      return [tag, term, message.id]
    case 'readIndexResponse':
      return [tag, term, message.id, message.index]
    default:
      return unreachable(message)
  }
}

/** Nearly all entries have no note, and no field for it. */
function entryRow({ term, time, payload, note }: Entry): readonly unknown[] {
  return note === undefined ? [term, time, payload] : [term, time, payload, noteRow(note)]
}

function noteRow(note: EntryNote): readonly unknown[] {
  switch (note.kind) {
    case 'checkpoint':
      return [noteTags.checkpoint]
    case 'memberReplaced':
      return [noteTags.memberReplaced, note.member, note.incarnation]
    default:
      return unreachable(note)
  }
}

/** Takes a message; FormatError when it is none. */
export function takeMessage(reader: Reader): Message {
  const tag = reader.count()
  const message = takeBody(tag, reader)
  reader.end()
  return message
}

function takeBody(tag: number, reader: Reader): Message {
  const term = asTerm(reader.count())
  const index = () => asIndex(reader.count())
  switch (tag) {
    case tags.preVote:
      return { kind: 'preVote', term, poll: reader.count(), lastLogIndex: index(), lastLogTerm: asTerm(reader.count()) }
    case tags.preVoteResponse:
      return { kind: 'preVoteResponse', term, poll: reader.count(), granted: reader.flag() }
    case tags.requestVote: {
      const [lastLogIndex, lastLogTerm] = [index(), asTerm(reader.count())]
      return { kind: 'requestVote', term, lastLogIndex, lastLogTerm, transfer: reader.flag() }
    }
    case tags.requestVoteResponse:
      return { kind: 'requestVoteResponse', term, granted: reader.flag() }
    case tags.appendEntries: {
      const prevLogIndex = index()
      const prevLogTerm = asTerm(reader.count())
      const leaderCommit = index()
      const round = reader.count()
      const entries = reader
        .rows(entriesMax)
        .map((row, position) => takeEntry(row, asIndex(prevLogIndex + 1 + position)))
      return { kind: 'appendEntries', term, prevLogIndex, prevLogTerm, leaderCommit, round, entries }
    }
    case tags.appendAccepted:
      return { kind: 'appendAccepted', term, round: reader.count(), matchIndex: index() }
    case tags.appendRejected: {
      const [round, rejectedIndex, hintIndex] = [reader.count(), index(), index()]
      return { kind: 'appendRejected', term, round, rejectedIndex, hintIndex, hintTerm: asTerm(reader.count()) }
    }
    case tags.timeoutNow:
      return { kind: 'timeoutNow', term, lastLogIndex: index() }
    case tags.readIndex:
      return { kind: 'readIndex', term, id: reader.count() }
    case tags.readIndexResponse: {
      const id = reader.count()
      const readIndex = reader.countOrNull()
      return { kind: 'readIndexResponse', term, id, index: readIndex === null ? null : asIndex(readIndex) }
    }
    default:
      throw new FormatError(`unknown message ${tag}`)
  }
}

function takeEntry(row: Reader, index: Entry['index']): Entry {
  const term = asTerm(row.count())
  const time = asClusterTime(row.count())
  // A copy: the entry outlives the frame, and must not keep a whole read buffer alive.
  const payload = new Uint8Array(row.bytes())
  if (row.remaining === 0) return { index, term, time, payload }
  const note = takeNote(row.row())
  row.end()
  return { index, term, time, payload, note }
}

function takeNote(row: Reader): EntryNote {
  const note = takeNoteBody(row.count(), row)
  row.end()
  return note
}

function takeNoteBody(tag: number, row: Reader): EntryNote {
  switch (tag) {
    case noteTags.checkpoint:
      return { kind: 'checkpoint' }
    case noteTags.memberReplaced:
      return { kind: 'memberReplaced', member: takeNodeId(row), incarnation: takeIncarnation(row) }
    default:
      throw new FormatError(`unknown note ${tag}`)
  }
}

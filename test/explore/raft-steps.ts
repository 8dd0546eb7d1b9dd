// One choice of the exploration, carried out with the real core: what the shell would do with its effects, and every
// check on the way. A turn is one input and a tick. Whatever the core asks of its disk beside writes is answered within
// the turn. The world that a turn starts from stays as it is.
import { assert, unreachable } from '../../src/assert.ts'
import { asClusterTime, asIndex, asTerm } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import type { Effect, LoadEntries, Persist, Send } from '../../src/raft/effect.ts'
import type { Input } from '../../src/raft/input.ts'
import { checkState, checkTransition, summarize } from '../../src/raft/invariants.ts'
import { createRaft } from '../../src/raft/state.ts'
import type { Entry } from '../../src/raft/entry.ts'
import { messageOf, numberOf } from './raft-messages.ts'
import { thaw } from './raft-read.ts'
import { checkApply, checkBeliefs, checkDisks, checkMember, checkSent } from './raft-safety.ts'
import { draw, incarnationOf, incarnations, linkOf, memberAt, memberIds, placeOf, raftOptions } from './raft-world.ts'
import type { Core, Left, Member, Past, World } from './raft-world.ts'

type Happening = Input extends infer Each ? (Each extends Input ? Omit<Each, 'now'> : never) : never

/** A world that is being changed. */
export class Turn {
  readonly #core: Core
  readonly #source: World['source']
  readonly #members: Member[]
  readonly #links: (readonly number[])[]
  readonly #sorted: boolean
  #past: Past
  left: Left

  /** `sorted`: links lose the order of their messages, so that any of them may arrive next. */
  constructor(world: World, options: { readonly core: Core; readonly sorted: boolean }) {
    this.#core = options.core
    this.#sorted = options.sorted
    this.#source = world.source
    this.#members = [...world.members]
    this.#links = [...world.links]
    this.#past = world.past
    this.left = world.left
  }

  finish(): World {
    checkBeliefs(this.#members)
    return { members: this.#members, links: this.#links, left: this.left, past: this.#past, source: this.#source }
  }

  /** The member at `place`, as one that may be changed. */
  thaw(world: World, place: number): Member {
    const member = thaw(world, place)
    this.#members[place] = member
    return member
  }

  /** Takes the message at `position` off a link; with `keep` it stays there as well. */
  take(link: number, position: number, keep = false): number {
    const numbers = this.#links[link] ?? []
    const number = numbers[position]
    assert(number !== undefined, 'there is a message to deliver')
    if (!keep) this.#links[link] = numbers.toSpliced(position, 1)
    return number
  }

  /** The input, and the tick that ends its turn, at `now` of the member's clock. */
  give(member: Member, happening: Happening, now = 0): void {
    if (happening.kind !== 'tick') this.#step(member, { ...happening, now } as Input)
    this.#step(member, { kind: 'tick', now })
  }

  /** A member's timeout passes. A poll is not sent, but finds a majority at once: pre-votes must not matter for safety. */
  passTimeout(member: Member, now: number): void {
    const { state } = member
    this.give(member, { kind: 'tick' }, now)
    if (state.role.kind !== 'preCandidate') return
    const { poll } = state.role
    const from = memberIds.find((id) => id !== state.self) ?? state.self
    const message = { kind: 'preVoteResponse', term: asTerm(state.currentTerm + 1), poll, granted: true } as const
    this.give(member, { kind: 'message', from, as: incarnationOf(from), message }, now)
  }

  deliver(member: Member, from: NodeId, number: number, now: number): void {
    const as = incarnationOf(from)
    this.give(member, { kind: 'message', from, as, message: messageOf(number) }, now)
  }

  /** The oldest `count` writes become durable; the process hears of it when it still runs. */
  write(member: Member, count: number): void {
    for (const write of member.queue.splice(0, count)) member.disk = written(member.disk, write)
    checkDisks(this.#past, this.#members)
  }

  /** The process ends, and another one begins with what is on the disk; the others notice before they hear from it. */
  restart(world: World, place: number): void {
    const { state, disk, queue } = memberAt(this.#members, place)
    const spans: { term: Entry['term']; firstIndex: Entry['index'] }[] = []
    for (const { term, index } of disk.entries) if (spans.at(-1)?.term !== term) spans.push({ term, firstIndex: index })
    const start = { index: asIndex(0), term: asTerm(0), time: timeZero }
    const lastIndex = asIndex(disk.entries.length)
    const hardState = { currentTerm: disk.term, votedFor: disk.votedFor }
    const fresh = createRaft({
      self: state.self,
      members: memberIds,
      options: raftOptions,
      random: draw,
      now: 0,
      stored: { start, lastIndex, lastTime: timeZero, spans, notes: [], hardState },
      applied: asIndex(0),
      incarnations,
      incarnation: state.incarnation,
      counted: true,
      canServe: true,
    })
    queue.length = 0
    this.#members[place] = { state: fresh, disk, queue: [], outbox: [] }
    checkState(fresh)
    this.#past = checkMember(this.#past, this.#members, this.#members[place])
    for (let other = 0; other < memberIds.length; other++) {
      if (other === place) continue
      const member = this.thaw(world, other)
      this.#step(member, { kind: 'peerGone', peer: state.self, now: 0 })
      this.give(member, { kind: 'peerConnected', peer: state.self, restarted: true })
    }
  }

  #step(member: Member, input: Input): void {
    const { state } = member
    const before = summarize(state)
    if (input.kind === 'persisted') this.#release(member, input.io)
    const effects = this.#core(state, input)
    checkTransition(before, summarize(state))
    checkState(state)
    // Writes first: bodies that a check looks for may be in none of the places yet.
    for (const effect of effects) if (effect.kind === 'persist') member.queue.push(effect)
    // Most ticks do nothing.
    if (input.kind === 'tick' && effects.length === 0) return
    this.#past = checkMember(this.#past, this.#members, member)
    const loads: LoadEntries[] = []
    for (const effect of effects) this.#carryOut(member, effect, loads)
    for (const { load, from, to } of loads) {
      const entries = member.disk.entries.slice(from - 1, to)
      assert(entries.length > 0, `${state.self} reads entry ${from} which is not on its disk`)
      this.#step(member, { kind: 'entriesLoaded', load, entries, now: state.now })
    }
  }

  #carryOut(member: Member, effect: Effect, loads: LoadEntries[]): void {
    switch (effect.kind) {
      case 'persist':
      case 'roleChanged':
      case 'refuseProposal':
        return
      case 'apply':
        return checkApply(member, effect)
      case 'send':
        return this.#send(member, effect)
      case 'loadEntries':
        loads.push(effect)
        return
      case 'readReady':
      case 'refuseRead':
      case 'refuseTransfer':
      case 'sendSnapshot':
      case 'installSnapshot':
      case 'ignoreSnapshot':
      case 'storeCounted':
      case 'refuseReplacement':
        return assert(false, `${effect.kind} is not explored`)
      default:
        return unreachable(effect)
    }
  }

  #send(member: Member, { to, message, after }: Send): void {
    if (message.kind === 'preVote' || message.kind === 'preVoteResponse') return
    const waiting = { to: placeOf(to), message: numberOf(message) }
    if (after !== null) member.outbox.push({ ...waiting, after })
    else this.#post(member, waiting)
  }

  #release(member: Member, io: number): void {
    const { outbox } = member
    const free = outbox.filter(({ after }) => after <= io)
    outbox.splice(0, outbox.length, ...outbox.filter(({ after }) => after > io))
    for (const waiting of free) this.#post(member, waiting)
  }

  #post({ state, disk }: Member, { to, message }: { readonly to: number; readonly message: number }): void {
    const from = placeOf(state.self)
    this.#past = checkSent(this.#past, from, to, { disk, message: messageOf(message) })
    const link = [...(this.#links[linkOf(from, to)] ?? []), message]
    this.#links[linkOf(from, to)] = this.#sorted ? link.sort((a, b) => a - b) : link
  }
}

const timeZero = asClusterTime(0)

function written(disk: Member['disk'], { hardState, truncateFrom, entries }: Persist): Member['disk'] {
  const kept = truncateFrom === null ? disk.entries : disk.entries.slice(0, truncateFrom - 1)
  assert((entries[0]?.index ?? kept.length + 1) === kept.length + 1, 'entries are written behind the last one')
  return {
    term: hardState?.currentTerm ?? disk.term,
    votedFor: hardState === null ? disk.votedFor : hardState.votedFor,
    entries: entries.length === 0 ? kept : [...kept, ...entries],
  }
}

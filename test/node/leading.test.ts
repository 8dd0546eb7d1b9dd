import t from 'tap'
import { assert } from '../../src/assert.ts'
import {
  asClusterTime,
  asIncarnation,
  asIndex,
  asLockName,
  asNodeId,
  asRequestId,
  asRun,
  asTerm,
  asToken,
} from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import { encodeCommand } from '../../src/codec/command.ts'
import { apply } from '../../src/lockfsm/apply.ts'
import type { Command } from '../../src/lockfsm/command.ts'
import { createState, defaultLimits } from '../../src/lockfsm/state.ts'
import { Core } from '../../src/node/core.ts'
import type { CoreEvents } from '../../src/node/core.ts'
import { DiskWriter } from '../../src/node/disk-writer.ts'
import { Intake } from '../../src/node/intake.ts'
import { Leading } from '../../src/node/leading.ts'
import { defaultMarks, Marks } from '../../src/node/marks.ts'
import type { Submission } from '../../src/node/own-commands.ts'
import type { Message } from '../../src/raft/message.ts'
import { createRaft, defaultRaftOptions } from '../../src/raft/state.ts'
import { ManualHost } from '../support/manual-host.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { firstDiskOf, foundedSetup } from '../support/raft-founding.ts'
import { silentEvents } from './silent-events.ts'

const [self, n2, n3] = [asNodeId('n1'), asNodeId('n2'), asNodeId('n3')]
const lock = asLockName('x')

/** n1, which leads as long as n2 and n3 answer; its own disk never completes a write once it `hangs`. */
class Bench {
  readonly lock = createState(defaultLimits)
  readonly leading: Leading
  /** Where a checkpoint was asked for, as it was applied. */
  readonly marked: number[] = []
  /** How many records a checkpoint would write, as the marks are told. */
  changed = 0
  readonly marks = new Marks(defaultMarks, { changed: () => this.changed, isBusy: () => false })
  /** What was submitted and has not been taken back or abandoned. */
  readonly submitted: Submission[] = []
  readonly silent = new Set<NodeId>()
  hangs = false
  wakes = 0
  readonly #intake = new Intake(() => {})
  #lastNumber = 100
  now = 0
  readonly #core: Core
  #pending: (() => void)[] = []
  #answers: { readonly from: NodeId; readonly message: Message }[] = []

  constructor() {
    const disk = new MemoryDisk({ schedule: (_, run) => this.#pending.push(run), random: () => 0 })
    const store = disk.openLog()
    const writer = new DiskWriter(store, { durable: (io) => this.#core.durable(io), failed: () => {} })
    const meta = { node: self, incarnation: asIncarnation('a'), run: asRun(1), founded: true, counted: asIndex(0) }
    writer.store({ meta }, () => {})
    const raft = createRaft({
      self,
      members: [self, n2, n3],
      options: defaultRaftOptions,
      random: () => 0.5,
      now: 0,
      stored: { ...store.stored, start: { index: asIndex(0), term: asTerm(0), time: asClusterTime(0) }, notes: [] },
      ...foundedSetup(self, [self, n2, n3]),
    })
    const events: CoreEvents = {
      ...silentEvents,
      send: (to, _, message) => this.#answer(to, message),
      apply: (entries) => {
        for (const entry of entries) {
          this.marks.applied(entry)
          if (entry.note?.kind === 'checkpoint') this.marked.push(entry.index)
          apply(this.lock, { time: entry.time, commands: [] })
        }
      },
    }
    this.#core = new Core({ raft, host: new ManualHost(), store, disk: writer, events })
    this.leading = new Leading({
      core: this.#core,
      intake: this.#intake,
      lock: this.lock,
      marks: this.marks,
      wake: () => this.wakes++,
      commands: {
        submit: (submission) => {
          this.submitted.push(submission)
          const drop = () => this.submitted.splice(this.submitted.indexOf(submission) >>> 0, 1)
          return { number: 1, takeBack: () => false, abandon: drop }
        },
      },
    })
    this.pass(3000)
    assert(this.#core.raft.role.kind === 'leader', 'n1 leads')
  }

  /** What n2 and n3 say to it, when they are not silent; they find everything right. */
  #answer(from: NodeId, message: Message): void {
    if (this.silent.has(from)) return
    const { term } = message
    if (message.kind === 'preVote') {
      this.#answers.push({ from, message: { kind: 'preVoteResponse', term, poll: message.poll, granted: true } })
    } else if (message.kind === 'requestVote') {
      this.#answers.push({ from, message: { kind: 'requestVoteResponse', term, granted: true } })
    } else if (message.kind === 'appendEntries') {
      const matchIndex = asIndex(message.prevLogIndex + message.entries.length)
      this.#answers.push({ from, message: { kind: 'appendAccepted', term, round: message.round, matchIndex } })
    }
  }

  turn(): void {
    if (!this.hangs) for (const run of this.#pending.splice(0)) run()
    for (const { from, message } of this.#answers.splice(0))
      this.#core.receive({ kind: 'message', from, as: { disk: firstDiskOf(from), since: asIndex(0) }, message })
    this.#core.drain(this.now)
    this.leading.turn(this.now)
    this.#core.step({ kind: 'tick', now: this.now })
    this.#core.disk.start()
  }

  pass(ms: number): void {
    for (let turns = 0; turns < ms / 10; turns++) {
      this.now += 10
      this.turn()
    }
  }

  /** An entry brings the time of the lock table up to date. */
  catchUp(): void {
    this.#core.propose(new Uint8Array(0), this.now)
    this.pass(30)
  }

  /** The command is applied here, however it came. */
  applied(node: NodeId, number: number, command: Command, run = 1): void {
    const origin = { node, run: asRun(run), number }
    apply(this.lock, { time: this.lock.time, commands: [{ origin, command }] })
  }

  /** A command of n2 arrives. */
  takeIn(): void {
    const bytes = encodeCommand({ origin: { node: n2, run: asRun(1), number: ++this.#lastNumber }, command: release })
    this.#intake.take(n2, { sending: 1, commands: [bytes] }, { ordinary: 1e9, exempt: 1e9, isDiskLow: false })
  }

  /** Which node, run and number was said to be lost, in this order. */
  get lost(): readonly string[] {
    return this.submitted.map(({ command }) =>
      command.kind === 'nodeLost' ? `${command.node}/${command.run}/${command.number}` : command.kind,
    )
  }

  /** The newest of them has been applied. */
  learnDone(): void {
    this.submitted.at(-1)?.learn({ kind: 'outcome', index: asIndex(9), result: { kind: 'done' } })
  }
}

const release: Command = { kind: 'release', lock, token: asToken(1), session: null }

/** A grant that ends `ttlMs` after it was applied. */
function acquire(ttlMs: number): Command {
  const requestId = asRequestId('request-of-somebody')
  const times = { ttlMs, waitMs: 0, pollMs: 0, takenInAt: asClusterTime(2 ** 50) }
  return { kind: 'acquire', lock, session: null, requestId, mode: 'exclusive', owner: null, metadata: null, ...times }
}

t.test('commands are gathered as long as each turn brings more, for 1 ms at most', async (t) => {
  const bench = new Bench()
  bench.takeIn()
  bench.turn()
  t.equal(bench.leading.commands, 0)
  t.equal(bench.wakes, 1)
  bench.takeIn()
  bench.turn()
  t.equal(bench.leading.commands, 0)
  bench.turn()
  t.same([bench.leading.entries, bench.leading.commands], [1, 2], 'a turn that brings nothing ends it')
  bench.pass(20)
  for (let turns = 0; turns < 9; turns++) {
    bench.takeIn()
    bench.now += 0.25
    bench.turn()
  }
  t.same([bench.leading.entries, bench.leading.commands], [2, 7], 'and so does time')
})

t.test('commands wait for the write under way, for 5 ms at most', async (t) => {
  const bench = new Bench()
  bench.takeIn()
  bench.turn()
  bench.hangs = true
  bench.turn()
  t.equal(bench.leading.entries, 1)
  bench.takeIn()
  for (let turns = 0; turns < 49; turns++) {
    bench.now += 0.1
    bench.turn()
  }
  t.equal(bench.leading.entries, 1)
  bench.now += 0.5
  bench.turn()
  t.equal(bench.leading.entries, 2)
})

t.test('H12 a node out of contact for 10 s is said to be lost, up to the last command known of it', async (t) => {
  const bench = new Bench()
  bench.applied(n2, 7, release)
  bench.silent.add(n2)
  bench.pass(9900)
  t.same(bench.lost, [])
  bench.pass(200)
  t.same(bench.lost, ['n2/1/7'])
  bench.learnDone()
  bench.pass(60_000)
  t.same(bench.lost, ['n2/1/7'], 'once, as long as nothing is heard of it')
})

t.test('H12 it is said again when more of the lost node was applied, but only every 10 s', async (t) => {
  const bench = new Bench()
  bench.applied(n2, 7, release)
  bench.silent.add(n2)
  bench.pass(10_100)
  bench.learnDone()
  for (let number = 8; number < 90; number++) {
    bench.pass(100)
    bench.applied(n2, number, release)
  }
  t.same(bench.lost, ['n2/1/7'])
  bench.pass(2000)
  t.same(bench.lost, ['n2/1/7', 'n2/1/89'])
  bench.learnDone()
  bench.pass(20_000)
  bench.applied(n2, 1, release, 2)
  bench.pass(10)
  t.same(bench.lost, ['n2/1/7', 'n2/1/89', 'n2/2/1'], 'also of a later run')
})

t.test('a node that is back and lost again is announced again', async (t) => {
  const bench = new Bench()
  bench.applied(n2, 7, release)
  bench.silent.add(n2)
  bench.pass(10_100)
  bench.learnDone()
  bench.silent.clear()
  bench.pass(200)
  t.same(bench.lost, [], 'nothing of it is under way')
  bench.silent.add(n2)
  bench.pass(10_100)
  t.same(bench.lost, ['n2/1/7'])
})

t.test('an announcement that was not done is made again, unless another has taken its place', async (t) => {
  const bench = new Bench()
  bench.applied(n2, 7, release)
  bench.silent.add(n2)
  bench.pass(10_100)
  const [first] = bench.submitted
  first?.learn({ kind: 'notDone', reason: 'passedOver' })
  bench.pass(10)
  t.equal(bench.lost.length, 2)
  first?.learn({ kind: 'notDone', reason: 'passedOver' })
  bench.pass(10)
  t.equal(bench.lost.length, 2)
})

t.test('B104 what a leader said of lost nodes is not sent again once it has stopped leading', async (t) => {
  const bench = new Bench()
  bench.applied(n2, 7, release)
  bench.silent.add(n2)
  bench.pass(10_100)
  t.same(bench.lost, ['n2/1/7'])
  bench.leading.ended()
  t.same(bench.lost, [])
})

t.test('a deadline wakes the leader when it is due, but not while an entry is still to be committed', async (t) => {
  const bench = new Bench()
  bench.catchUp()
  bench.applied(n3, 1, acquire(400))
  bench.pass(100)
  const wait = bench.leading.wakeAt(bench.now) - bench.now
  t.ok(wait > 200 && wait <= 400, `in ${wait} ms`)
  bench.hangs = true
  bench.silent.add(n2).add(n3)
  bench.pass(500)
  t.equal(bench.lock.held, 1, 'its end is written and not committed')
  t.equal(bench.leading.wakeAt(bench.now), Infinity, 'when it is, that wakes the loop')
  bench.hangs = false
  bench.silent.clear()
  bench.pass(200)
  t.equal(bench.lock.held, 0)
})

t.test('a mark is proposed when one is due, as an entry without commands, and one at a time', async (t) => {
  const bench = new Bench()
  bench.pass(100)
  t.same(bench.marked, [])
  bench.changed = defaultMarks.records
  bench.turn()
  t.same(bench.marked, [], 'it is not even committed')
  bench.changed = 0
  bench.pass(100)
  t.equal(bench.marked.length, 1)
  t.equal(bench.leading.commands, 0)
})

t.test('a mark that stays due is not proposed again before it has been applied', async (t) => {
  const bench = new Bench()
  bench.changed = defaultMarks.records
  bench.silent.add(n2).add(n3)
  for (let turns = 0; turns < 20; turns++) bench.turn()
  bench.silent.clear()
  bench.changed = 0
  bench.pass(500)
  t.equal(bench.marked.length, 1)
})

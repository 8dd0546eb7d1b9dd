import t from 'tap'
import { decodeCommand } from '../../src/codec/command.ts'
import { asClusterTime, asRequestId } from '../../src/ids.ts'
import type { Command } from '../../src/lockfsm/command.ts'
import { inParts, OwnCommands } from '../../src/node/own-commands.ts'
import { acquire, Bench, close, node, release, run } from './own-commands-bench.ts'

t.test('commands are numbered in the order of their submission, when they are first sent', async (t) => {
  const bench = new Bench()
  const [first, second] = [bench.submit(), bench.submit()]
  t.equal(first.number, null)
  t.same(bench.send(), [1, 2])
  t.same([first.number, second.number], [1, 2])
  bench.submit()
  t.same(bench.send(), [3], 'what was sent is not sent again over the same route')
  t.same(bench.send(), [])
})

t.test('H20 over a new route everything unanswered goes again, in order, unchanged, before anything new', async (t) => {
  const bench = new Bench()
  for (let count = 0; count < 3; count++) bench.submit()
  const first = bench.commands.nextSending(true)
  bench.apply(1)
  bench.submit()
  bench.commands.routeChanged()
  const again = bench.commands.nextSending(true)
  t.same(again?.commands.slice(0, 2), first?.commands.slice(1), 'byte for byte')
  t.same(
    again?.commands.map((bytes) => decodeCommand(bytes).origin.number),
    [2, 3, 4],
  )
  t.not(again?.sending, first?.sending, 'under the name of a sending of its own')
})

t.test('an outcome of its own is the fate of a command, and a later number says that it was passed over', async (t) => {
  const bench = new Bench()
  for (let count = 0; count < 3; count++) bench.submit()
  bench.send()
  bench.apply(2)
  t.same(bench.fates, [['not done: passedOver'], ['done at 20'], []])
  bench.apply(2)
  bench.apply(1)
  t.same(bench.fates, [['not done: passedOver'], ['done at 20'], []], 'and nothing is learned twice')
})

t.test('a queued command learns its outcome later, whatever numbers come between', async (t) => {
  const bench = new Bench()
  bench.submit(acquire)
  bench.submit()
  bench.send()
  bench.apply(1, { kind: 'queued' })
  bench.apply(2)
  bench.apply(1, { kind: 'detached', requestId: asRequestId('r') })
  t.same(bench.fates, [['queued at 10', 'detached at 10'], ['done at 20']])
  t.equal(bench.commands.size, 0)
})

t.test('a queued command to which nothing more will be said takes no memory', async (t) => {
  const bench = new Bench()
  bench.submit(acquire)
  bench.send()
  bench.apply(1, { kind: 'queued' })
  t.equal(bench.commands.size, 1)
  bench.commands.forget(1)
  t.equal(bench.commands.size, 0)
})

t.test('a command is certainly not done when its only sending was refused', async (t) => {
  const bench = new Bench()
  bench.submit()
  bench.send()
  bench.commands.refused(1, 'notLeader', [1])
  t.same(bench.fates, [['not done: notLeader']])
  t.equal(bench.commands.size, 0)
})

t.test('H18 a command that was sent twice and refused once may have been done', async (t) => {
  const bench = new Bench()
  bench.submit()
  bench.send()
  bench.commands.routeChanged()
  bench.send()
  bench.commands.refused(2, 'overloaded', [1])
  t.same(bench.fates, [[]], 'the first sending may lie in a log')
  bench.commands.refused(2, 'overloaded', [1])
  t.same(bench.fates, [[]], 'the same refusal counts once')
  bench.commands.refused(1, 'notLeader', [1])
  t.same(bench.fates, [['not done: notLeader']], 'every sending was refused')
})

t.test(
  'H18 a command refused for want of disk space may still have been done, by a sending that was not',
  async (t) => {
    const bench = new Bench()
    bench.submit()
    bench.send()
    bench.commands.routeChanged()
    bench.send()
    t.equal(bench.commands.refused(2, 'diskLow', [1]), true, 'it goes again, after a pause')
    t.same(bench.fates, [[]])
    bench.commands.refused(1, 'diskLow', [1])
    t.same(bench.fates, [['not done: diskLow']])
  },
)

t.test(
  'H18 a refused command that may be in a log is sent again, with all behind it, before anything new',
  async (t) => {
    const bench = new Bench()
    for (let count = 0; count < 2; count++) bench.submit()
    bench.send()
    bench.commands.routeChanged()
    bench.send()
    bench.submit()
    bench.commands.refused(2, 'notLeader', [1])
    t.same(bench.send(), [1, 2, 3])
    t.same(bench.fates, [[], [], []])
  },
)

t.test('H18 what an overloaded leader took in behind a refused command is not sent again with it', async (t) => {
  const bench = new Bench()
  for (let count = 0; count < 3; count++) bench.submit(count === 1 ? release : acquire)
  bench.send()
  bench.commands.routeChanged()
  bench.send()
  bench.submit()
  for (let sending = 2; sending < 6; sending++) {
    t.equal(bench.commands.refused(sending, 'overloaded', [1]), true, 'the next sending should wait')
    t.same(bench.send(), sending === 2 ? [1, 4] : [1], 'before anything new')
  }
  t.same(bench.fates, [[], [], [], []])
})

t.test('H18 a late refusal of an earlier copy sends nothing again', async (t) => {
  const bench = new Bench()
  for (let count = 0; count < 2; count++) bench.submit()
  bench.send()
  bench.commands.routeChanged()
  bench.send()
  t.equal(bench.commands.refused(1, 'notLeader', [1, 2]), false)
  t.same(bench.send(), [])
  t.same(bench.fates, [[], []])
})

t.test('after an overload the next sending waits when it would only be refused again', async (t) => {
  const bench = new Bench()
  bench.submit(acquire)
  bench.submit()
  bench.send()
  t.equal(bench.commands.refused(1, 'overloaded', [1]), false, 'nothing goes again, and there may be room for others')
  t.equal(bench.commands.refused(1, 'overloaded', [2]), true, 'there was none, not even in the reserve')
})

/** About 4 KiB each: the window of 4 MiB is full with a thousand of them. */
const large: Command = { ...acquire, metadata: 'm'.repeat(4096) }
const windowBytes = 4 * 1024 * 1024

t.test('what is under way without a fate stays within a window, and the rest follows as fates come', async (t) => {
  const bench = new Bench()
  const count = 3000
  for (let made = 0; made < count; made++) bench.submit(large)
  let [applied, seen] = [0, 0]
  while (applied < count) {
    const numbers = bench.send()
    t.equal(numbers[0], seen + 1)
    seen += numbers.length
    if ((seen - applied) * 4096 > windowBytes) throw new Error(`${seen - applied} of 4 KiB are under way`)
    t.same(bench.send(), [])
    while (applied < seen) bench.apply(++applied)
  }
  t.equal(bench.fates.filter(([fate]) => fate?.startsWith('done')).length, count)
})

t.test('H20 over a new route it goes again within the window, in order, before anything new', async (t) => {
  const bench = new Bench()
  for (let made = 0; made < 1500; made++) bench.submit(large)
  const first = bench.send()
  bench.apply(100)
  const more = bench.send()
  t.equal(more.length, 100, 'what left made room for as much')
  const late = bench.submit()
  bench.commands.routeChanged()
  const again = bench.send()
  t.equal(again[0], 101)
  t.equal(again.length, first.length)
  t.equal(late.takeBack(), true, 'it has not left')
  bench.commands.refused(3, 'notLeader', again)
  t.same(bench.send(), again, 'who was refused gives its room back')
  bench.apply(again.at(-1) ?? 0)
  t.equal(bench.send()[0], (again.at(-1) ?? 0) + 1)
})

t.test('the refusal of one command leaves the others of its sending alone', async (t) => {
  const bench = new Bench()
  for (let count = 0; count < 3; count++) bench.submit()
  bench.send()
  bench.commands.refused(1, 'overloaded', [2])
  t.same(bench.fates, [[], ['not done: overloaded'], []])
  t.same(bench.send(), [], 'nothing is sent twice because of it')
  bench.apply(1)
  bench.apply(3)
  t.same(bench.fates, [['done at 10'], ['not done: overloaded'], ['done at 30']])
})

t.test('a command that never left can be taken back, one that has left cannot', async (t) => {
  const bench = new Bench()
  const [first, second] = [bench.submit(), bench.submit()]
  t.equal(first.takeBack(), true)
  t.same(bench.send(), [1])
  t.equal(second.number, 1, 'a number is given to what is sent only')
  t.equal(second.takeBack(), false)
})

t.test('an abandoned command is not sent again, but its fate is still learned', async (t) => {
  const bench = new Bench()
  const first = bench.submit()
  bench.submit()
  bench.send()
  first.abandon()
  bench.commands.routeChanged()
  t.same(bench.send(), [2])
  bench.apply(1)
  t.same(bench.fates, [['done at 10'], []])
})

t.test('a node that is not ready keeps acquires and openings back, and nothing else', async (t) => {
  const bench = new Bench()
  bench.submit(acquire)
  const opening = { requestId: asRequestId('o'), ttlMs: 1, name: null, metadata: null, takenInAt: asClusterTime(0) }
  bench.submit({ kind: 'openSession', ...opening })
  const third = bench.submit(close)
  t.same(bench.send(false), [1])
  t.equal(third.number, 1)
  t.same(bench.send(true), [2, 3])
})

t.test('what was sent before goes again even when the node is not ready', async (t) => {
  const bench = new Bench()
  bench.submit(acquire)
  bench.send(true)
  bench.commands.routeChanged()
  t.same(bench.send(false), [1])
})

t.test('a command learns that it was not done before the next of its maker is sent', async (t) => {
  const commands = new OwnCommands({ node, run: () => run, clusterTime: () => asClusterTime(0), lastSending: 0 })
  const submit = (): void => {
    commands.submit({
      command: release,
      learn: (fate) => {
        if (fate.kind === 'notDone') submit()
      },
    })
  }
  submit()
  commands.nextSending(true)
  commands.refused(1, 'notLeader', [1])
  const again = commands.nextSending(true)
  t.same(
    again?.commands.map((bytes) => decodeCommand(bytes).origin),
    [{ node, run, number: 2 }],
    'as a new command',
  )
})

t.test('twenty thousand commands are taken back, or refused, in a moment', async (t) => {
  const bench = new Bench()
  const count = 20_000
  const submit = () => Array.from({ length: count }, () => bench.commands.submit({ command: release, learn: () => {} }))
  const [toTakeBack, since] = [submit(), process.cpuUsage()]
  t.ok(toTakeBack.every((submitted) => submitted.takeBack()))
  submit()
  bench.commands.nextSending(true)
  bench.commands.refused(
    1,
    'notLeader',
    Array.from({ length: count }, (_, position) => position + 1),
  )
  t.equal(bench.commands.size, 0)
  // Of this process: how busy the machine is with others does not count.
  const tookMs = process.cpuUsage(since).user / 1000
  t.ok(tookMs < 1500, `${Math.round(tookMs)} ms`)
})

t.test('H15 a command is stamped when it leaves for the first time, and every copy carries that time', async (t) => {
  const bench = new Bench()
  const takenInAt = () => {
    const [bytes] = bench.commands.nextSending(true)?.commands ?? []
    const command = bytes === undefined ? null : decodeCommand(bytes).command
    return command?.kind === 'acquire' ? command.takenInAt : null
  }
  bench.submit(acquire)
  bench.time = asClusterTime(70_000)
  t.equal(takenInAt(), 70_000, 'what this node had applied when it was asked says nothing: nothing had left')
  bench.time = asClusterTime(140_000)
  bench.commands.routeChanged()
  t.equal(takenInAt(), 70_000)
})

t.test('a large sending goes in parts, in order, and a large command in one of its own', async (t) => {
  const commands = [100, 200_000, 100_000, 300_000, 1].map((bytes) => new Uint8Array(bytes))
  const parts = inParts({ sending: 7, commands })
  t.same(
    parts.map((part) => part.commands.map(({ length }) => length)),
    [[100, 200_000, 100_000], [300_000], [1]],
  )
  t.ok(parts.every(({ sending }) => sending === 7))
})

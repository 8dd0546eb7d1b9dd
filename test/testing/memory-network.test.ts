import t from 'tap'
import { asNodeId } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import type { Link, LinkHandlers } from '../../src/node/wire.ts'
import { createSeededChance } from '../../src/testing/chance.ts'
import { MemberProcess } from '../../src/testing/member-process.ts'
import { MemoryNetwork } from '../../src/testing/memory-network.ts'
import { Partitions } from '../../src/testing/partitions.ts'
import { VirtualTime } from '../../src/testing/virtual-time.ts'

const [a, b] = [asNodeId('a'), asNodeId('b')]

function twoNodes() {
  const time = new VirtualTime()
  const cuts = new Partitions<NodeId>()
  const network = new MemoryNetwork({ isCut: (from, to) => cuts.isCut(from, to) })
  const heard: string[] = []
  const accepted: Link[] = []
  const process = (id: NodeId) => new MemberProcess({ id, time, chance: createSeededChance(1) })
  const handlers = (at: string): LinkHandlers => ({
    onOpen: () => heard.push(`${at} open`),
    onFrame: (frame) => heard.push(`${at} ${Buffer.from(frame).toString()}`),
    onClose: ({ why }) => heard.push(`${at} ${why}`),
  })
  const processes = { a: process(a), b: process(b) }
  return {
    cuts,
    network,
    heard,
    accepted,
    processes,
    listen: () =>
      network.wireOf(processes.b).listen((link) => {
        accepted.push(link)
        return handlers('b')
      }),
    dial: () => network.wireOf(processes.a).dial(b, handlers('a')),
    settle: () => time.advance(0),
  }
}

t.test('frames arrive in order, a close behind them', async (t) => {
  const { heard, listen, dial, settle, accepted } = twoNodes()
  listen()
  const link = dial()
  await settle()
  link.send(Buffer.from('1'))
  link.send(Buffer.from('2'))
  accepted[0]?.send(Buffer.from('answer'))
  link.close()
  link.send(Buffer.from('too late'))
  await settle()
  t.same(
    heard.filter((line) => line.startsWith('b')),
    ['b 1', 'b 2', 'b closed'],
  )
  t.same(
    heard.filter((line) => line.startsWith('a')),
    ['a open', 'a local'],
  )
})

t.test('the bytes of a frame are those of when it was sent', async (t) => {
  const { heard, listen, dial, settle } = twoNodes()
  listen()
  const link = dial()
  await settle()
  const frame = Buffer.from('x')
  link.send(frame)
  frame.write('y')
  await settle()
  t.same(heard, ['a open', 'b x'])
})

t.test('who dials where nobody listens is refused', async (t) => {
  const { heard, dial, settle } = twoNodes()
  dial()
  await settle()
  t.same(heard, ['a refused'])
})

t.test('behind a cut frames wait, and so do dials', async (t) => {
  const { heard, listen, dial, settle, cuts, network } = twoNodes()
  listen()
  const link = dial()
  await settle()
  const heal = cuts.cut([a])
  link.send(Buffer.from('1'))
  dial()
  await settle()
  t.same(heard, ['a open'])
  t.ok(link.queuedBytes > 0)
  heal()
  network.flush()
  await settle()
  t.same(heard, ['a open', 'b 1', 'a open'])
  t.equal(link.queuedBytes, 0)
})

t.test('a link that is given up behind a cut closes here at once, there when the cut heals', async (t) => {
  const { heard, listen, dial, settle, cuts, network } = twoNodes()
  listen()
  const link = dial()
  await settle()
  const heal = cuts.cut([a])
  link.abort({ why: 'silent', detail: '' })
  await settle()
  t.same(heard, ['a open', 'a silent'])
  heal()
  network.flush()
  await settle()
  t.same(heard, ['a open', 'a silent', 'b closed'])
})

t.test('the end of a process closes its links, and it hears nothing of that', async (t) => {
  const { heard, listen, dial, settle, network, processes } = twoNodes()
  listen()
  dial()
  await settle()
  processes.b.end()
  network.processEnded(processes.b)
  dial()
  await settle()
  t.same(heard, ['a open', 'a closed', 'a refused'])
})

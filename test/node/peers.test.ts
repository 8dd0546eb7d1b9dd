import t from 'tap'
import type { Frame, RejectReason } from '../../src/codec/frame.ts'
import { FormatError } from '../../src/codec/packr.ts'
import { asNodeId } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import { Peers } from '../../src/node/peers.ts'
import { FakeWire } from '../support/fake-wire.ts'
import type { FakeLink } from '../support/fake-wire.ts'
import { ManualHost } from '../support/manual-host.ts'
import { introduce } from './introduce.ts'

const [self, n2, n3] = [asNodeId('n1'), asNodeId('n2'), asNodeId('n3')]
const news: Frame = { kind: 'foundingNews', clusterId: null, founded: false }

class Bench {
  readonly host = new ManualHost()
  readonly wire = new FakeWire()
  readonly heard: string[] = []
  verdict: RejectReason | null = null
  readonly peers = new Peers({
    self,
    members: [self, n2, n3],
    host: this.host,
    wire: this.wire,
    introduce: () => introduce(self),
    judge: () => this.verdict,
    met: ({ node, run }) => this.heard.push(`met ${node} run ${run}`),
    rejected: (peer, reason) => this.heard.push(`${peer} rejected us: ${reason}`),
    connected: (peer, restarted) => this.heard.push(`connected ${peer}${restarted ? ' restarted' : ''}`),
    gone: (peer) => this.heard.push(`gone ${peer}`),
    frame: (from, frame) => {
      if (frame.kind === 'transferRequest') throw new FormatError('makes no sense')
      this.heard.push(`${frame.kind} from ${from}`)
    },
  })

  constructor() {
    this.peers.start()
  }

  /** What was heard since the last look. */
  news(): string[] {
    return this.heard.splice(0)
  }

  /** The link that we dial to n2, up to the end of its handshake. */
  connect(life: Parameters<typeof introduce>[1] = {}): FakeLink {
    const link = this.wire.newest(n2)
    link.open()
    link.frame({ kind: 'welcome', from: introduce(n2, life) })
    return link
  }

  /** A link that n2 dials to us, with its hello. */
  beDialled(life: Parameters<typeof introduce>[1] = {}, to: NodeId = self): FakeLink {
    const link = this.wire.arrive()
    link.frame({ kind: 'hello', to, from: introduce(n2, life) })
    return link
  }
}

t.test('every other member is dialled, and greeted when the link opens', async (t) => {
  const bench = new Bench()
  t.same([...bench.wire.dialled.keys()], [n2, n3])
  const link = bench.wire.newest(n2)
  t.same(link.kinds, [])
  link.open()
  t.same(link.sent, [{ kind: 'hello', to: n2, from: introduce(self) }])
  t.equal(bench.peers.isConnected(n2), false, 'before it is welcomed')
})

t.test('nothing is sent before the handshake is done', async (t) => {
  const bench = new Bench()
  const link = bench.wire.newest(n2)
  link.open()
  bench.peers.send(n2, news)
  bench.peers.broadcast(news)
  t.same(link.kinds, ['hello'])
  link.frame({ kind: 'welcome', from: introduce(n2) })
  t.same(bench.news(), ['met n2 run 1', 'connected n2'])
  bench.peers.send(n2, news)
  bench.peers.broadcast(news)
  t.same(link.kinds, ['hello', 'foundingNews', 'foundingNews'])
  t.equal(bench.peers.httpUrlOf(n2), 'http://n2')
})

t.test('a peer that answers as somebody else is refused', async (t) => {
  const bench = new Bench()
  const link = bench.wire.newest(n2)
  link.open()
  link.frame({ kind: 'welcome', from: introduce(n3) })
  t.equal(link.isClosed, true)
  t.same(bench.news(), [])
  t.equal(bench.peers.isConnected(n2), false)
})

t.test('a peer that is judged not to be one of us is refused on either link, and told why on its own', async (t) => {
  const bench = new Bench()
  bench.verdict = 'foreign_cluster'
  t.equal(bench.connect().isClosed, true)
  const link = bench.beDialled()
  t.match(link.sent, [{ kind: 'rejected', reason: 'foreign_cluster' }])
  t.equal(link.isClosed, true)
  t.same(bench.news(), [])
})

t.test('who takes us for another, or is not a member, is told so', async (t) => {
  const bench = new Bench()
  t.match(bench.beDialled({}, n3).sent, [{ kind: 'rejected', reason: 'wrong_address' }])
  const stranger = bench.wire.arrive()
  stranger.frame({ kind: 'hello', to: self, from: introduce(asNodeId('n9')) })
  t.match(stranger.sent, [{ kind: 'rejected', reason: 'not_a_member' }])
})

t.test('a frame counts on the link that the peer dialled, after its hello', async (t) => {
  const bench = new Bench()
  const early = bench.wire.arrive()
  early.frame(news)
  t.equal(early.isClosed, true, 'no hello')
  const link = bench.beDialled()
  t.same(link.kinds, ['welcome'])
  link.frame(news)
  t.same(bench.news(), ['met n2 run 1', 'foundingNews from n2'])
  const dialled = bench.connect()
  bench.news()
  dialled.frame(news)
  t.equal(dialled.isClosed, true, 'frames come over the other link only')
  t.same(bench.news(), [])
})

t.test('bytes that are no frame, a second hello, or a frame that makes no sense close the link', async (t) => {
  const bench = new Bench()
  const garbled = bench.beDialled()
  garbled.bytes(Buffer.from('garbage'))
  t.equal(garbled.isClosed, true)
  const twice = bench.beDialled()
  twice.frame({ kind: 'hello', to: self, from: introduce(n2) })
  t.equal(twice.isClosed, true)
  const senseless = bench.beDialled()
  senseless.frame({ kind: 'transferRequest', to: null })
  t.equal(senseless.isClosed, true)
})

t.test('a newer link replaces the older, whose remaining frames are dropped', async (t) => {
  const bench = new Bench()
  const older = bench.beDialled()
  const newer = bench.beDialled()
  t.equal(older.isClosed, true)
  bench.news()
  older.frame(news)
  t.same(bench.news(), [])
  newer.frame(news)
  t.same(bench.news(), ['foundingNews from n2'])
})

t.test('an established link that closes is dialled again at once when it was a good one', async (t) => {
  const bench = new Bench()
  const link = bench.connect()
  bench.host.pass(600)
  link.closed('closed')
  t.equal(bench.wire.dialled.get(n2)?.length, 2)
  t.equal(bench.peers.isConnected(n2), false)
})

t.test('a link that does not last is dialled again after a pause that grows to a second', async (t) => {
  const bench = new Bench()
  const pauses: number[] = []
  for (let count = 0; count < 8; count++) {
    const links = bench.wire.dialled.get(n2)?.length ?? 0
    bench.connect().closed('closed')
    const since = bench.host.time
    while (bench.wire.dialled.get(n2)?.length === links) bench.host.pass(1)
    pauses.push(bench.host.time - since)
  }
  t.ok((pauses[0] ?? 0) >= 25 && (pauses[0] ?? 0) <= 50, String(pauses))
  t.ok((pauses.at(-1) ?? 0) >= 500 && (pauses.at(-1) ?? 0) <= 1000, String(pauses))
})

t.test('H34 a link that closes proves nothing about the process, whoever closed it', async (t) => {
  for (const why of ['closed', 'unreachable', 'garbage', 'local'] as const) {
    const bench = new Bench()
    const link = bench.connect()
    bench.host.pass(600)
    bench.news()
    link.closed(why)
    t.same(bench.news(), [], why)
    bench.connect()
    t.same(bench.news(), ['met n2 run 1', 'connected n2'], 'accepted by the old run: nothing is concluded')
  }
})

t.test('a refused connection proves that the process is gone', async (t) => {
  const bench = new Bench()
  const link = bench.connect()
  bench.host.pass(600)
  link.closed('closed')
  bench.news()
  bench.wire.newest(n2).closed('refused')
  t.same(bench.news(), ['gone n2'])
})

t.test('a later run that answers proves that the process we knew is gone', async (t) => {
  const bench = new Bench()
  bench.connect({ run: 1 }).closed('closed')
  bench.news()
  bench.host.pass(100)
  bench.connect({ run: 2 })
  t.same(bench.news(), ['gone n2', 'met n2 run 2', 'connected n2 restarted'])
})

t.test('a later run that dials us makes the links of the older void', async (t) => {
  const bench = new Bench()
  const accepted = bench.beDialled({ run: 1 })
  const dialled = bench.connect({ run: 1 })
  bench.news()
  bench.beDialled({ run: 2 })
  t.same([accepted.isClosed, dialled.isClosed], [true, true])
  t.same(bench.news(), ['gone n2', 'met n2 run 2'])
})

t.test('a replaced disk is another life, even in the same run', async (t) => {
  const bench = new Bench()
  bench.connect({ incarnation: 'i' }).closed('closed')
  bench.host.pass(100)
  bench.news()
  bench.connect({ incarnation: 'j' })
  t.same(bench.news(), ['gone n2', 'met n2 run 1', 'connected n2 restarted'])
})

t.test('an older run that dials us is told that it is one', async (t) => {
  const bench = new Bench()
  bench.beDialled({ run: 2 })
  t.match(bench.beDialled({ run: 1 }).sent, [{ kind: 'rejected', reason: 'old_run' }])
})

t.test('a welcome of an older run that comes late is refused, and the newer keeps its links', async (t) => {
  const bench = new Bench()
  const link = bench.wire.newest(n2)
  link.open()
  const newer = bench.beDialled({ run: 2 })
  bench.news()
  link.frame({ kind: 'welcome', from: introduce(n2, { run: 1 }) })
  t.equal(link.isClosed, true)
  t.equal(newer.isClosed, false)
  t.same(bench.news(), [])
})

t.test('a peer that rejects us is reported, and dialled again later', async (t) => {
  const bench = new Bench()
  const link = bench.wire.newest(n2)
  link.open()
  link.frame({ kind: 'rejected', reason: 'stranger', detail: 'who are you' })
  t.same(bench.news(), ['n2 rejected us: stranger'])
  t.equal(link.isClosed, true)
  link.closed('local')
  bench.host.pass(100)
  t.equal(bench.wire.dialled.get(n2)?.length, 2)
})

t.test('a handshake that takes longer than 3 s is given up, at either end', async (t) => {
  const bench = new Bench()
  const dialled = bench.wire.newest(n2)
  dialled.open()
  const accepted = bench.wire.arrive()
  bench.host.pass(2990)
  t.same([dialled.isClosed, accepted.isClosed], [false, false])
  bench.host.pass(20)
  t.same([dialled.isClosed, accepted.isClosed], [true, true])
})

t.test(
  'when the link of a peer to us is reset, ours is dialled anew: its commands may be lost, and so may ours',
  async (t) => {
    const bench = new Bench()
    const dialled = bench.connect()
    const accepted = bench.beDialled()
    bench.host.pass(600)
    accepted.closed('closed')
    t.equal(dialled.isClosed, true)
    dialled.closed('local')
    t.equal(bench.wire.dialled.get(n2)?.length, 2)
  },
)

/** Passes `ms` while both ends of `links` say that they are there. */
function passAlive(bench: Bench, ms: number, links: readonly FakeLink[]): void {
  for (let passed = 0; passed < ms; passed += 500) {
    bench.host.pass(500)
    for (const link of links) link.frame({ kind: 'keepalive' })
  }
}

t.test('L3 links over which nothing comes any more are given up at both ends, and ours is dialled anew', async (t) => {
  const bench = new Bench()
  const [dialled, accepted] = [bench.connect(), bench.beDialled()]
  passAlive(bench, 60_000, [dialled, accepted])
  t.same([dialled.aborted, accepted.aborted], [null, null])
  t.equal(dialled.kinds.filter((kind) => kind === 'keepalive').length, 120, 'each end speaks twice a second')
  t.equal(accepted.kinds.filter((kind) => kind === 'keepalive').length, 120)
  bench.news()
  bench.host.pass(3000)
  t.same([dialled.aborted, accepted.aborted], ['silent', 'silent'])
  dialled.closed('silent')
  t.equal(bench.peers.isConnected(n2), false)
  t.equal(bench.wire.dialled.get(n2)?.length, 1, 'not in the same moment as everybody else')
  bench.host.pass(50)
  t.equal(bench.wire.dialled.get(n2)?.length, 2)
  accepted.closed('silent')
  t.same(bench.news(), [], 'nothing is concluded about the process (H34)')
})

t.test('frames are signs of life, too', async (t) => {
  const bench = new Bench()
  const accepted = bench.beDialled()
  for (let count = 0; count < 20; count++) {
    bench.host.pass(1000)
    accepted.frame(news)
  }
  t.equal(accepted.aborted, null)
})

t.test('the silence of a link of the peer costs ours nothing', async (t) => {
  const bench = new Bench()
  const [dialled, accepted] = [bench.connect(), bench.beDialled()]
  passAlive(bench, 3000, [dialled])
  t.equal(accepted.aborted, 'silent')
  accepted.closed('silent')
  t.equal(dialled.isClosed, false)
})

t.test('a paused peer is dialled every few seconds at most, and reported once', async (t) => {
  const bench = new Bench()
  const link = bench.connect()
  bench.host.pass(3000)
  link.closed('silent')
  // Its kernel accepts; nobody answers the hello.
  const before = bench.wire.dialled.get(n2)?.length ?? 0
  for (let passed = 0; passed < 60_000; passed += 50) {
    bench.host.pass(50)
    const newest = bench.wire.newest(n2)
    if (newest.sent.length === 0 && !newest.isClosed) newest.open()
    if (newest.aborted !== null) newest.closed(newest.aborted)
  }
  const dials = (bench.wire.dialled.get(n2)?.length ?? 0) - before
  t.ok(dials >= 12 && dials <= 21, `${dials} dials in a minute`)
  t.same(
    bench.host.reports.map(({ message }) => message),
    ['link to n2 closed'],
  )
  t.notOk(bench.heard.includes('gone n2'))
})

t.test('a dial without an answer was pause enough: the next follows at once', async (t) => {
  const bench = new Bench()
  for (let count = 2; count < 20; count++) {
    bench.host.pass(2000)
    bench.wire.newest(n2).closed('unreachable')
    bench.host.pass(50)
    t.equal(bench.wire.dialled.get(n2)?.length, count)
  }
})

t.test('a sign of life before the hello is no hello', async (t) => {
  const bench = new Bench()
  const stranger = bench.wire.arrive()
  stranger.frame({ kind: 'keepalive' })
  t.equal(stranger.isClosed, true)
})

t.test('a lasting complaint is reported once', async (t) => {
  const bench = new Bench()
  bench.verdict = 'other_members'
  for (let count = 0; count < 5; count++) {
    bench.connect().closed('local')
    bench.host.pass(2000)
  }
  const complaints = bench.host.reports.filter(({ message }) => message.includes('we refuse n2'))
  t.equal(complaints.length, 1)
})

t.test('a stop closes all links and dials no more', async (t) => {
  const bench = new Bench()
  const [dialled, accepted, stranger] = [bench.connect(), bench.beDialled(), bench.wire.arrive()]
  bench.peers.stop()
  t.same([dialled.isClosed, accepted.isClosed, stranger.isClosed], [true, true, true])
  dialled.closed('local')
  bench.host.pass(10_000)
  t.equal(bench.wire.dialled.get(n2)?.length, 1)
})

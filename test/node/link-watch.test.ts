import { connect } from 'node:net'
import t from 'tap'
import { asNodeId } from '../../src/ids.ts'
import { LinkWatch } from '../../src/node/link-watch.ts'
import { createProcessHost } from '../../src/node/process-host.ts'
import { createTcpWire } from '../../src/node/tcp.ts'
import type { LinkClosed } from '../../src/node/wire.ts'
import { FakeLink } from '../support/fake-wire.ts'
import { ManualHost } from '../support/manual-host.ts'

function watched() {
  const host = new ManualHost()
  const link = new FakeLink()
  return { host, link, watch: new LinkWatch(host, link) }
}

t.test('an established link carries a sign of life every 500 ms, and needs one timer', async (t) => {
  const { host, link, watch } = watched()
  watch.established()
  for (let count = 1; count <= 20; count++) {
    host.pass(500)
    watch.heard()
    t.equal(link.sent.length, count)
    t.equal(host.timers, 1)
  }
  t.ok(link.kinds.every((kind) => kind === 'keepalive'))
  t.equal(link.isClosed, false)
})

t.test(
  'a link over which nothing is heard for 2.5 s is given up, 3 s after the last frame at the latest',
  async (t) => {
    for (const sinceTick of [0, 1, 250, 499]) {
      const { host, link, watch } = watched()
      watch.established()
      host.pass(5 * 500 + sinceTick)
      t.equal(link.aborted, null)
      watch.heard()
      host.pass(2500)
      t.equal(link.aborted, null)
      host.pass(500)
      t.equal(link.aborted, 'silent')
      t.equal(host.timers, 0)
    }
  },
)

t.test('a process that was paused misses nothing that it has not asked for meanwhile', async (t) => {
  const { host, link, watch } = watched()
  watch.established()
  host.pass(700)
  // Nothing runs for a minute; then the timer fires that was due, once.
  host.time += 60_000
  host.pass(0)
  t.equal(link.aborted, null)
  host.pass(2000)
  t.equal(link.aborted, 'silent', 'but the other end must speak then')
})

t.test('H5 what lies in the socket behind a stall is read before the link is given up', async (t) => {
  const { host, link, watch } = watched()
  watch.established()
  host.pass(2900)
  host.time += 5000
  // The timer that was due fires first, then the sockets are read, then comes what was deferred.
  host.fireDue()
  watch.heard()
  host.settle()
  host.pass(2000)
  t.equal(link.aborted, null)
})

t.test('a handshake that takes longer than 3 s is given up', async (t) => {
  const { host, link, watch } = watched()
  watch.heard()
  host.pass(2999)
  t.equal(link.aborted, null)
  host.pass(2)
  t.equal(link.aborted, 'unreachable')
  t.same(link.sent, [], 'nothing is sent before it is done')
})

t.test('a watch that was stopped does nothing, not even what was deferred', async (t) => {
  const { host, link, watch } = watched()
  host.time += 4000
  host.fireDue()
  watch.stop()
  host.settle()
  t.equal(link.aborted, null)
  t.equal(host.timers, 0)
})

t.test('over TCP a link is given up at once, whatever its other end does not take', async (t) => {
  const wire = await createTcpWire({
    listen: { host: '127.0.0.1', port: 0 },
    peers: new Map([[asNodeId('n2'), { host: '127.0.0.1', port: 1 }]]),
    frameBytesMax: 1_000_000,
    queueBytesMax: 64_000_000,
    dialTimeoutMs: 60_000,
  })
  const host = createProcessHost({ report: () => {}, fatal: () => {} })
  const closed = new Promise<LinkClosed>((resolve) => {
    wire.listen((link) => {
      const watch = new LinkWatch(host, link)
      watch.established()
      for (let count = 0; count < 40; count++) link.send(Buffer.alloc(1_000_000))
      const onClose = (reason: LinkClosed) => {
        watch.stop()
        resolve(reason)
      }
      return { onOpen: () => {}, onFrame: () => watch.heard(), onClose }
    })
  })
  // Reads nothing and says nothing, as a process that is paused.
  const silent = connect(wire.port, '127.0.0.1')
  silent.pause()
  silent.on('error', () => {})
  t.teardown(() => silent.destroy())
  const before = performance.now()
  t.equal((await closed).why, 'silent')
  const afterMs = performance.now() - before
  t.ok(afterMs > 2400 && afterMs < 10_000, `after ${afterMs} ms`)
  await wire.close()
})

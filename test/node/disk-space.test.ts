import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { DiskSpace } from '../../src/node/disk-space.ts'
import { createVolume } from '../../src/node/process-host.ts'
import { ManualHost } from '../support/manual-host.ts'

const lowBytes = 1000

/** A disk whose free space a test sets; an error stands for a file system that does not say. */
function bench(low = lowBytes) {
  const host = new ManualHost()
  const disk: { free: number | Error; asked: number } = { free: 5000, asked: 0 }
  const space = new DiskSpace({
    host,
    lowBytes: low,
    volume: {
      freeBytes: (done) => {
        disk.asked++
        const { free } = disk
        host.defer(() => (typeof free === 'number' ? done(null, free) : done(free, 0)))
      },
    },
  })
  space.start()
  host.settle()
  const becomes = (free: number | Error): boolean => {
    disk.free = free
    host.pass(1001)
    return space.isLow
  }
  return { host, disk, space, becomes }
}

t.test('below the watermark a disk is low, and no sooner', async (t) => {
  const { space, becomes } = bench()
  t.equal(space.isLow, false)
  t.equal(space.freeBytes, 5000)
  t.equal(becomes(1000), false)
  t.equal(becomes(999), true)
  t.equal(space.freeBytes, 999)
})

t.test('it is low until a quarter more is free, so that it does not flap, and each change is said once', async (t) => {
  const { host, becomes } = bench()
  t.equal(becomes(900), true)
  t.equal(becomes(1000), true)
  t.equal(becomes(1249), true)
  t.equal(becomes(1250), false)
  t.equal(becomes(1001), false)
  t.same(
    host.reports.map(({ level, message }) => `${level}: ${message}`),
    ['warn: disk space is low: new work is refused', 'info: there is enough disk space again'],
  )
})

t.test('it is asked once a second, and not any more when the node has stopped', async (t) => {
  const { host, disk, space } = bench()
  t.equal(disk.asked, 1)
  host.pass(10_000)
  t.equal(disk.asked, 11)
  space.stop()
  host.pass(10_000)
  t.equal(disk.asked, 11)
  t.equal(host.timers, 0)
})

t.test('an answer that comes after the stop asks nothing more', async (t) => {
  const host = new ManualHost()
  const answers: (() => void)[] = []
  const space = new DiskSpace({ host, lowBytes, volume: { freeBytes: (done) => answers.push(() => done(null, 1)) } })
  space.start()
  space.stop()
  for (const answer of answers) answer()
  t.equal(host.timers, 0)
  t.equal(space.isLow, false)
})

t.test(
  'where the system does not say how much is free, what was known last counts on, and it is said once',
  async (t) => {
    const { host, becomes, space } = bench()
    t.equal(becomes(500), true)
    t.equal(becomes(new Error('not here')), true)
    t.equal(becomes(new Error('not here')), true)
    t.equal(space.freeBytes, 500)
    t.equal(host.reports.filter(({ message }) => message.includes('not here')).length, 1)
    t.equal(becomes(5000), false)
  },
)

t.test('a watermark of 0 refuses nothing', async (t) => {
  const { becomes } = bench(0)
  t.equal(becomes(0), false)
})

t.test('a real file system says what is free, and one that is not there that it is not', async (t) => {
  const ask = (folder: string) =>
    new Promise<number | Error>((resolve) => createVolume(folder).freeBytes((error, bytes) => resolve(error ?? bytes)))
  const free = await ask(tmpdir())
  t.ok(typeof free === 'number' && free > 0 && Number.isSafeInteger(free))
  t.match(await ask(join(tmpdir(), 'there-is-no-such-folder')), { code: 'ENOENT' })
})

// The host of a real process: Node.js' monotonic clock, its timers and its random source; and the file system below it.
import { randomBytes } from 'node:crypto'
import { statfs } from 'node:fs'
import type { Volume } from './disk-space.ts'
import type { Failure, Host, Report, Timer } from './host.ts'

export function createProcessHost(voice: { report(report: Report): void; fatal(failure: Failure): void }): Host {
  return {
    // CLOCK_MONOTONIC: stands still while the machine is suspended, which only makes cluster time slow.
    now: () => performance.now(),
    setTimer: (delayMs, fire): Timer => {
      const timer = setTimeout(fire, delayMs)
      return { cancel: () => clearTimeout(timer) }
    },
    // The check phase comes after the poll phase: what lay in the sockets has been read by then.
    defer: (run) => {
      setImmediate(run)
    },
    random: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
    randomId: () => randomBytes(16).toString('hex'),
    report: (report) => voice.report(report),
    fatal: (failure) => voice.fatal(failure),
  }
}

/** The file system of `folder`, which must exist when it is asked. */
export function createVolume(folder: string): Volume {
  return {
    freeBytes: (done) =>
      statfs(folder, (error, stats) => {
        if (error === null) done(null, stats.bavail * stats.bsize)
        else done(error, 0)
      }),
  }
}

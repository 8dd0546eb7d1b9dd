// A command that runs under a lock: in a session and process group of its own, with the terminal's files but not its
// job control (so reading from the terminal does not stop it). It is told to end a grace before the lock is lost, and
// it and everything that it has started are dead when the lock is. What it leaves behind when it ends by itself is ended,
// too: a lock that is free again means that nothing of its holder runs. A second pair of eyes is the watchdog.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { systemClock } from '../client/clock.ts'
import type { Instant } from '../client/clock.ts'
import type { Lock } from '../client/types.ts'
import { dueNow, leftOf } from './due.ts'
import type { Span } from './due.ts'
import { isAlive, markVariable, signalGroup, signalTree } from './process-tree.ts'
import type { ProcessTree } from './process-tree.ts'
import { signalCode } from './signals.ts'
import type { WatchdogLink } from './watchdog-link.ts'

export interface CommandParts {
  readonly command: readonly string[]
  readonly lock: Pick<Lock, 'name' | 'token' | 'signal' | 'remainingMs'>
  readonly graceMs: number
  readonly mark: string
  readonly watchdog: WatchdogLink
}

export type CommandEnd =
  /** By itself; 128 + n after a signal. */
  | { readonly kind: 'ended'; readonly code: number }
  /** We ended it, for want of a lock. */
  | { readonly kind: 'lost' }

/** How often it is looked whether something of the command is left. */
const lookMs = 20
/** Deadlines that differ by less are the same. */
const newsMs = 20
/** For what was killed and does not go away, because it waits for a disk in the kernel; the watchdog stays with it. */
const killingMaxMs = 10_000

/** Rejects when the system cannot start it. */
export async function startGuarded(parts: CommandParts): Promise<GuardedCommand> {
  const { command, lock, mark, watchdog } = parts
  const [name = '', ...args] = command
  watchdog.tellDeadline(spanOf(lock))
  const child = spawn(name, args, { stdio: 'inherit', detached: true, env: environmentFor(lock, mark) })
  // In the same breath: whoever kills us now leaves nothing that the watchdog does not know.
  if (child.pid !== undefined) watchdog.tellLeader(child.pid)
  await new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
  return new GuardedCommand(parts, child)
}

export class GuardedCommand {
  readonly #parts: CommandParts
  readonly #tree: ProcessTree
  readonly #exit: Promise<CommandEnd>
  #timer: NodeJS.Timeout | null = null
  /** What the watchdog believes. */
  #told: Span | null = null
  /** Set when it has been told to end for want of renewals: it gets so long, whatever is renewed after. */
  #lastSpan: Span | null = null
  #isReaped = false
  #killedAt: Instant | null = null
  #giveUp: () => void = () => {}

  constructor(parts: CommandParts, child: ChildProcess) {
    this.#parts = parts
    this.#tree = { leader: child.pid ?? null, mark: parts.mark }
    this.#exit = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#isReaped = true
        resolve({ kind: 'ended', code: signal === null ? (code ?? 1) : signalCode(signal) })
      })
      this.#giveUp = () => resolve({ kind: 'lost' })
    })
    parts.lock.signal.addEventListener('abort', this.#look)
    this.#look()
  }

  /** Resolves when nothing of the command is left, or nothing that can be ended. */
  async end(): Promise<CommandEnd> {
    const end = await this.#exit
    // Before what it left behind is ended: that may take until the lock is lost.
    const isLost = this.#lastSpan !== null || this.#killedAt !== null
    await this.#endRest()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#parts.lock.signal.removeEventListener('abort', this.#look)
    if (!isAlive(this.#tree)) this.#parts.watchdog.done()
    return isLost ? { kind: 'lost' } : end
  }

  deliver(signal: NodeJS.Signals): void {
    const { leader } = this.#tree
    // Control-Z. A terminal's SIGTSTP does nothing in a group that is in no session of a shell, so the command is stopped
    // otherwise, and goes on with us. Nothing is renewed meanwhile: at the deadline the watchdog ends it.
    if (signal === 'SIGTSTP') {
      this.#signalAll('SIGSTOP')
      process.kill(process.pid, 'SIGSTOP')
    } else if (signal === 'SIGCONT') this.#signalAll('SIGCONT')
    else if (leader !== null && !this.#isReaped) signalGroup(leader, signal)
  }

  readonly #look = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#killedAt !== null) return
    const span = this.#span()
    this.#tellDeadline(span)
    const { graceMs } = this.#parts
    const due = dueNow({ remainingMs: span.remainingMs, graceMs, isTerminated: this.#lastSpan !== null })
    switch (due.kind) {
      case 'kill':
        this.#killedAt = span.at
        this.#signalAll('SIGKILL')
        this.#timer = setTimeout(this.#giveUp, killingMaxMs)
        return
      case 'terminate':
        this.#lastSpan = span
        this.#signalAll('SIGTERM')
        // Who is stopped hears nothing.
        this.#signalAll('SIGCONT')
        return this.#look()
      case 'look_again':
        this.#timer = setTimeout(this.#look, due.afterMs)
    }
  }

  #span(): Span {
    const span = spanOf(this.#parts.lock)
    if (this.#lastSpan === null) return span
    return { at: span.at, remainingMs: Math.min(span.remainingMs, leftOf(this.#lastSpan, systemClock.now())) }
  }

  /** Only what is news: the lock was renewed, or is over. */
  #tellDeadline(span: Span): void {
    if (this.#told !== null && Math.abs(leftOf(this.#told, systemClock.now()) - span.remainingMs) < newsMs) return
    this.#told = span
    this.#parts.watchdog.tellDeadline(span)
  }

  /** What the command left behind: SIGTERM, and SIGKILL after the grace, or when the lock is lost. */
  async #endRest(): Promise<void> {
    if (!isAlive(this.#tree)) return
    this.#signalAll('SIGTERM')
    this.#signalAll('SIGCONT')
    const grace = { at: systemClock.now(), remainingMs: this.#parts.graceMs }
    while (isAlive(this.#tree)) {
      if (this.#killedAt !== null && leftOf({ at: this.#killedAt, remainingMs: killingMaxMs }, systemClock.now()) <= 0)
        return
      if (this.#killedAt !== null || leftOf(grace, systemClock.now()) <= 0) this.#signalAll('SIGKILL')
      await new Promise((resolve) => setTimeout(resolve, lookMs))
    }
  }

  #signalAll(signal: NodeJS.Signals): void {
    signalTree(this.#tree, signal, { isLeaderOurs: !this.#isReaped })
  }
}

function spanOf(lock: CommandParts['lock']): Span {
  // In this order: what passes between the two is on the safe side.
  const at = systemClock.now()
  return { at, remainingMs: lock.signal.aborted ? 0 : lock.remainingMs() }
}

/** HOLDFAST_DEADLINE_MS is the deadline as it is now, on the clock of /proc/uptime where there is one. */
function environmentFor(lock: CommandParts['lock'], mark: string): NodeJS.ProcessEnv {
  const { at, remainingMs } = spanOf(lock)
  const outer = process.env[markVariable]
  return {
    ...process.env,
    HOLDFAST_LOCK: lock.name,
    HOLDFAST_TOKEN: String(lock.token),
    HOLDFAST_DEADLINE_MS: String(Math.floor((at.sinceBootMs ?? at.monotonicMs) + remainingMs)),
    [markVariable]: outer === undefined ? mark : `${outer}:${mark}`,
  }
}

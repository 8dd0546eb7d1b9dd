// What a node needs of the world beside disk and network: time, chance, a voice. Production has Node.js under it, the
// simulator its own world; nothing else in this folder may read a clock or draw a number.

export interface Host {
  /** Monotonic milliseconds, with fractions. */
  now(): number
  /** Calls `fire` once, `delayMs` from now or later. */
  setTimer(delayMs: number, fire: () => void): Timer
  /**
   * Calls `run` once, after everything that has arrived by now has been read from its socket. libuv fires due timers
   * before it reads sockets: whatever acts on time passing goes through here (DESIGN 7).
   */
  defer(run: () => void): void
  /** A number in [0, 1). */
  random(): number
  /** 32 hexadecimal digits that nobody else draws. */
  randomId(): string
  report(report: Report): void
  /** The process must end, now: going on could break a promise. The caller does nothing more. */
  fatal(failure: Failure): void
}

export interface Timer {
  cancel(): void
}

/** One line for the log. */
export interface Report {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly details?: Readonly<Record<string, string | number | boolean | null>>
}

/** Why a process ends by itself; each has an exit code of its own (main.ts). `advice` says what to do. */
export interface Failure {
  readonly code: 'write_failed' | 'damaged' | 'stranger' | 'old_run' | 'diverged'
  readonly message: string
  readonly advice: string
}

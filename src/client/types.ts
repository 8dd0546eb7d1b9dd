// What users of the client hold in their hands, as types: a lock, a session, an election, and what may be asked for.
// Durations are milliseconds. Every promise of this file rejects with a `HoldfastError` (errors.ts) and nothing else, but
// for errors of the user's own functions, which pass through unchanged.

/**
 * What happens when a lock is lost, that is: when its deadline comes and no renewal was answered, or when the cluster says
 * that it is over. Always: `signal` aborts, before anybody else can hold the lock.
 *
 * - `abort`: nothing more.
 * - `exit`: the process exits with code `lostExitCode`; when its event loop is blocked until the deadline, it is killed.
 * - `kill`: SIGKILL at the deadline, from a thread that no blocked event loop can delay.
 */
export type OnLost = 'abort' | 'exit' | 'kill'

export interface ClientOptions {
  /** `http://host:port` of the nodes; one is enough, all are better. */
  readonly endpoints: readonly string[]
  /** Shown to others as `owner` of everything this client holds; default: host name and process id. */
  readonly owner?: string
  /** How long what is taken outlives its last renewal; 30,000. */
  readonly ttlMs?: number
  /** `abort` */
  readonly onLost?: OnLost
  /** How long a call without a wait of its own may take, with all its retries; 15,000. */
  readonly timeoutMs?: number
  /** Go straight to the leader when an answer names it; true. */
  readonly followLeader?: boolean
}

export interface CallOptions {
  /** Gives the call up: it rejects with `aborted`, and what it may have obtained is given back. */
  readonly signal?: AbortSignal
  /** As in `ClientOptions`; of an acquire: beyond its `waitMs`. */
  readonly timeoutMs?: number
}

export interface AcquireOptions extends CallOptions {
  /** How long to stand in line; 0 is a try. Default: 60,000. `Infinity` waits for ever. */
  readonly waitMs?: number
  /** Of a lock without a session; default: the client's. */
  readonly ttlMs?: number
  /** Shown to others. */
  readonly owner?: string
  /** Shown to others; at most 4 KiB as JSON. */
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly onLost?: OnLost
}

export interface TryAcquireOptions extends Omit<AcquireOptions, 'waitMs'> {
  /** Tries again after drawn pauses: each from 0 to a bound that doubles from `minMs` to `maxMs`. Default: one attempt. */
  readonly retry?: { readonly attempts: number; readonly minMs?: number; readonly maxMs?: number }
}

export interface WithLockOptions extends AcquireOptions {
  /**
   * The lock is kept at least so long, counted from the grant, also when the work is done (or has failed) sooner, and also
   * when this process ends then: for jobs that must not run twice within a period.
   */
  readonly minHoldMs?: number
}

/** What runs under a lock. `signal` is that of the lock; it aborts, too, when the caller or the client wants to stop. */
export type Work<Result> = (held: {
  readonly lock: Lock
  readonly token: number
  readonly signal: AbortSignal
}) => Promise<Result> | Result

export interface Lock extends AsyncDisposable {
  readonly name: string
  /** Fencing token: hand it to every resource that the lock guards. */
  readonly token: number
  /** Place in line that was served; only grows. */
  readonly sequence: number
  /** Aborts when the lock may be lost, before anybody else can hold it; its reason is a `HoldfastError` `lock_lost`. */
  readonly signal: AbortSignal
  /** Surely valid for so long from now on, less a margin; 0 when it is lost or released. Renewals extend it. */
  remainingMs(): number
  /** Throws `lock_lost` when it is not surely held at this moment. Looks at a clock, asks nobody. */
  assertHeld(): void
  /** Gives it back. May be repeated. Rejects with `lock_lost` when it had ended before, `outcome_unknown` when nobody says. */
  release(options?: CallOptions): Promise<void>
}

export interface SessionOptions extends CallOptions {
  readonly ttlMs?: number
  readonly name?: string
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly onLost?: OnLost
}

/** One liveness, and one renewal, for many locks. Disposing of it closes it. */
export interface Session extends AsyncDisposable {
  readonly id: string
  /** As of a lock: aborts when the session, and with it all its locks, may be over. */
  readonly signal: AbortSignal
  remainingMs(): number
  assertHeld(): void
  acquire(name: string, options?: Omit<AcquireOptions, 'ttlMs' | 'onLost'>): Promise<Lock>
  tryAcquire(name: string, options?: Omit<TryAcquireOptions, 'ttlMs' | 'onLost'>): Promise<Lock | null>
  /** Releases all its locks and leaves all queues. */
  close(options?: CallOptions): Promise<void>
}

export interface LeaderInfo {
  readonly token: number
  readonly owner: string | null
  /** What the leader campaigned with. */
  readonly value: unknown
}

export interface ElectOptions {
  /** Shown to whoever asks for the leader; JSON, at most 4 KiB. */
  readonly value?: unknown
  readonly ttlMs?: number
  readonly owner?: string
  /** Called for every term of office; `lock.signal` ends it. */
  readonly onElected?: (lock: Lock) => void
  /** Called when an office ended otherwise than by `resign`; the campaign goes on by itself. */
  readonly onLost?: (reason: Error) => void
  /** Resigns, and ends the campaign. */
  readonly signal?: AbortSignal
}

/** A candidate. It campaigns from the beginning, and again whenever it lost its office, until it resigns. */
export interface Election extends AsyncDisposable {
  readonly name: string
  /** The present term of office; null while somebody else is leader, or nobody. */
  readonly office: Lock | null
  /** The present or next term of office. Rejects with `closed` once resigned, or with what made the campaign impossible. */
  elected(): Promise<Lock>
  /** Stands again after `resign`; does nothing while it stands. */
  campaign(): void
  /** Gives the office back and leaves the line. */
  resign(options?: CallOptions): Promise<void>
}

/** Something whose end no node has confirmed. It ends by itself, at the latest after its TTL. */
export interface Unconfirmed {
  readonly what: 'lock' | 'session' | 'request'
  readonly name: string
}

export interface Closed {
  readonly unconfirmed: readonly Unconfirmed[]
}

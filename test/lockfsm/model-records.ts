// What the model of the lock table keeps, in lists.

export interface ModelSession {
  readonly id: string
  readonly requestId: string
  readonly askedTtlMs: number
  ttlMs: number
  deadline: number
  attempts: string[]
  emptySince: number
  isUsed: boolean
}

export interface ModelAttempt {
  readonly name: string
  readonly at: number
  readonly until: number
}

export interface ModelRequest {
  readonly id: string
  readonly lock: string
  readonly session: ModelSession | null
  readonly askedTtlMs: number | null
  readonly sequence: number
  attempts: ModelAttempt[]
  emptySince: number
  isUsed: boolean
  token: number | null
  ttlMs: number
  /** End of the wait, or of a grant without session. */
  until: number
}

export interface ModelMemory {
  /** `session` and request id, or `opening` and request id. */
  readonly key: string
  readonly at: number
  readonly how: string
  readonly token: number | null
  /** null when it is not kept: of a request that never held. */
  readonly lock: string | null
}

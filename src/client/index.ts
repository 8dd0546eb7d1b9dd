// The door of the package `holdfast/client`: nothing else of this folder is for users.
export { LockClient } from './lock-client.ts'
export { HoldfastError, isHoldfastError } from './errors.ts'
export type { ClientErrorCode, EndedBy, ErrorCode, ErrorDetails, Holder } from './errors.ts'
export { lostExitCode } from './keeper.ts'
export type {
  AcquireOptions,
  CallOptions,
  ClientOptions,
  Closed,
  ElectOptions,
  Election,
  LeaderInfo,
  Lock,
  OnLost,
  Session,
  SessionOptions,
  TryAcquireOptions,
  Unconfirmed,
  WithLockOptions,
  Work,
} from './types.ts'

// What all parts of one client share.
import type { Belongings } from './belongings.ts'
import type { Keeper } from './keeper.ts'
import type { Operations } from './operations.ts'
import type { ResolvedOptions } from './options.ts'
import type { Scope } from './scope.ts'
import type { Surroundings } from './surroundings.ts'

export interface Inside {
  readonly surroundings: Surroundings
  readonly options: ResolvedOptions
  readonly operations: Operations
  readonly keeper: Keeper
  readonly belongings: Belongings
  /** The client itself. */
  readonly scope: Scope
}

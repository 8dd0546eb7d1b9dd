// How often what walks a whole lock table is done. A world spends most of its time there when it is done at every entry,
// and needs that only to say which entry broke something: counters that are wrong, records that differ and indexes that
// lie stay so until the next look, and there is always one at the end. What could heal by itself before that (a free lock
// that somebody waits for, say) is seen in the worlds that look at every entry, one in eight, and by the checks that
// follow every entry everywhere (lives.ts, answers.ts, reads.ts).
import type { Random } from '../random.ts'

export interface Scrutiny {
  /** The invariants of the lock table are checked behind every so-manieth entry. */
  readonly entries: number
  /** Members are compared, and checkpoints counted anew, at every so-manieth mark. */
  readonly marks: number
}

export const everything: Scrutiny = { entries: 1, marks: 1 }

export function drawScrutiny(random: Random): Scrutiny {
  return random.chance(1 / 8) ? everything : { entries: 16, marks: 8 }
}

// With which code a process ends, and why. Scripts and supervisors can tell from it whether starting again helps.
import type { Failure } from './node/host.ts'

/** Why a process ends otherwise than after an orderly stop, which is code 0. */
export type Ending =
  | Failure['code']
  | 'bug'
  | 'config'
  | 'locked'
  | 'newer_format'
  | 'older_format'
  | 'backup_damaged'
  | 'address_in_use'
  | 'cannot_start'
  | 'stop_cut_short'

export const exitCodes: Readonly<Record<Ending, { readonly code: number; readonly meaning: string }>> = {
  bug: { code: 1, meaning: 'the program contradicted itself; report it' },
  config: { code: 2, meaning: 'a flag or variable is missing or makes no sense' },
  locked: { code: 3, meaning: 'another process has the data folder' },
  address_in_use: { code: 4, meaning: 'somebody else listens at an address of this node' },
  cannot_start: { code: 5, meaning: 'the system refused something at the start: a permission, space, an address' },
  newer_format: { code: 6, meaning: 'the data was written by a later version' },
  older_format: {
    code: 7,
    meaning: 'the data was written by an earlier version, in a format that this one does not read',
  },
  backup_damaged: { code: 8, meaning: 'the backup given with --restore cannot be restored' },
  damaged: { code: 10, meaning: 'the data contradicts itself: the node must not vote with it' },
  stranger: { code: 11, meaning: 'the cluster was founded with another disk of this node' },
  old_run: { code: 12, meaning: 'another process uses a copy of this data, or the data is an old copy' },
  diverged: { code: 15, meaning: 'the state of this node differs from that of the others' },
  write_failed: { code: 13, meaning: 'the disk did not take a write' },
  stop_cut_short: { code: 14, meaning: 'an orderly stop took too long, or was cut short by a second signal' },
}

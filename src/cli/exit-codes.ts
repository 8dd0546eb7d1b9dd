// With which code the command line ends, and why. `holdfast run` gives the code of its command where it can, so its own
// codes keep away from those that commands use: 1, 2, 64-78 (sysexits), up to 101 (curl), 111 (qmail), 124-127 (timeout,
// xargs, docker, shells), 128 and above (signals). `holdfast serve` ends with the codes of a node.

export type Ending =
  | 'usage'
  | 'not_acquired'
  | 'lost'
  | 'unreachable'
  | 'outcome_unknown'
  | 'refused'
  | 'bug'
  | 'cannot_run'
  | 'no_such_command'

export const exitCodes: Readonly<Record<Ending, { readonly code: number; readonly meaning: string }>> = {
  usage: { code: 112, meaning: 'an argument is missing or makes no sense; nothing was done' },
  not_acquired: { code: 113, meaning: 'somebody else held the lock for as long as was waited; no command was started' },
  lost: { code: 114, meaning: 'the lock is not held, or not any more; a command that ran under it was ended' },
  unreachable: { code: 115, meaning: 'no node answered, or those that did have no majority; nothing was done' },
  outcome_unknown: { code: 116, meaning: 'it may or may not have been done; repeating it is safe' },
  refused: { code: 117, meaning: 'the cluster refused it: a limit, or something that does not exist' },
  bug: { code: 119, meaning: 'the program contradicted itself; report it' },
  cannot_run: { code: 126, meaning: 'the command cannot be executed; the lock is not held' },
  no_such_command: { code: 127, meaning: 'there is no such command; the lock is not held' },
}

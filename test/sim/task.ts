// Behaviour that takes time, written as if it ran by itself: a generator that yields what it waits for. Unlike promises it
// goes on within the very event that it waited for, so a run stays a function of its seed.
import type { Timeline } from './timeline.ts'

/** Called with what makes the task go on; it must be called later, and once. */
export type Wait = (resume: () => void) => void
export type Task<Result = void> = Generator<Wait, Result, undefined>

/** Lets `task` run until it first waits, and from then on whenever what it waits for has come. */
export function start(task: Task<unknown>, finished: () => void = () => {}): void {
  const next = task.next()
  if (next.done === true) finished()
  else next.value(() => start(task, finished))
}

export function* sleep(timeline: Timeline, ms: number): Task {
  yield (resume) => timeline.after(ms, resume)
}

/** Waits for what `begin` hands to its argument. */
export function* wait<Value>(begin: (settle: (value: Value) => void) => void): Task<Value> {
  const settled: Value[] = []
  yield (resume) =>
    begin((value) => {
      if (settled.length > 0) return
      settled.push(value)
      resume()
    })
  const [value] = settled
  if (settled.length === 0) throw new Error('a task went on without what it waited for')
  return value as Value
}

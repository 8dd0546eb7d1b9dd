// What a command says: its result on stdout, for people or as JSON, and remarks for people on stderr. Who stops reading
// (`holdfast ls | head`) ends it quietly.
import { constants } from 'node:os'

export class Output {
  readonly isJson: boolean

  constructor({ json }: { readonly json: boolean }) {
    this.isJson = json
  }

  /** The result: `value` as one line of JSON, or the lines for people, made only then. */
  result(value: unknown, lines: () => readonly string[]): void {
    const text = this.isJson ? [JSON.stringify(value)] : lines()
    if (text.length > 0) process.stdout.write(`${text.join('\n')}\n`)
  }

  /** Not part of the result. */
  remark(line: string): void {
    process.stderr.write(`holdfast: ${line}\n`)
  }
}

/** A reader that is gone is no error of ours: the process ends as one that a broken pipe ends. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(128 + constants.signals.SIGPIPE)
    throw error
  })
}

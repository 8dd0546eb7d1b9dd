// A process of files.test.ts that writes one file again and again, each time under the token it is told on a line, and says
// what became of it.
import { createInterface } from 'node:readline'
import { guardedRead, guardedReplace, isGuardError } from '../../src/guard/index.ts'

const [path = ''] = process.argv.slice(2)
for await (const line of createInterface({ input: process.stdin })) {
  const token = Number(line)
  try {
    const before = await guardedRead({ path, token })
    const written = [...(before === null ? [] : before.toString().split(' ')), token].join(' ')
    await guardedReplace({ path, token }, written)
    process.stdout.write(`written ${token}\n`)
  } catch (error) {
    if (!isGuardError(error)) throw error
    process.stdout.write(`${error.code} ${token}\n`)
  }
}

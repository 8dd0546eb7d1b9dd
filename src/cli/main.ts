#!/usr/bin/env node
// The program `holdfast`: reads its command line, runs one command, and ends with the exit code that stands for how it went
// (exit-codes.ts). Whatever goes wrong is one line on stderr.
import { CommanderError } from 'commander'
import { exitCodes } from './exit-codes.ts'
import { failureAsJson, failureOf } from './failures.ts'
import type { Failure } from './failures.ts'
import { endWithReader } from './output.ts'
import { createProgram } from './program.ts'
import { isServe, serve } from './serve.ts'

if (isServe(process.argv)) await serve()
else await main()

async function main(): Promise<never> {
  endWithReader()
  process.on('uncaughtException', endAsBug)
  process.on('unhandledRejection', endAsBug)
  try {
    await createProgram().parseAsync()
  } catch (error) {
    end(error)
  }
  // Connections that are kept open do not keep anybody waiting.
  process.exit()
}

function end(error: unknown): never {
  if (error instanceof CommanderError) endOfReading(error)
  let failure: Failure
  try {
    failure = failureOf(error)
  } catch (bug) {
    endAsBug(bug)
  }
  const own = process.argv.slice(2, process.argv.includes('--') ? process.argv.indexOf('--') : undefined)
  const text = own.includes('--json') ? JSON.stringify(failureAsJson(failure)) : `holdfast: ${failure.message}`
  process.stderr.write(`${text.replaceAll('\n', ' ')}\n`)
  process.exit(exitCodes[failure.ending].code)
}

/** The command line was help, or wrong. */
function endOfReading({ exitCode, message }: CommanderError): never {
  if (exitCode === 0) process.exit(0)
  // Without any command the help was shown.
  if (message !== '(outputHelp)') {
    const said = message
      .replace(/^error: /, '')
      .replaceAll('\n', ' ')
      .replace(/\.$/, '')
    process.stderr.write(`holdfast: ${said}. holdfast help, or --help behind a command, shows what there is\n`)
  }
  process.exit(exitCodes.usage.code)
}

/** Where it happened stands above the last line. */
function endAsBug(error: unknown): never {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`${text}\nholdfast: this is a bug, please report it\n`)
  process.exit(exitCodes.bug.code)
}

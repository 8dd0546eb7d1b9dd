// Commands of one node on their way into the log: in order, passed over for a reason, and reordered.
import t from 'tap'
import { encodeCommand } from '../../../src/codec/command.ts'
import { asNodeId, asRun } from '../../../src/ids.ts'
import type { NumberedCommand } from '../../../src/lockfsm/command.ts'
import { NumberChecks } from './numbers.ts'

function numbered(number: number): NumberedCommand {
  return { origin: { node: asNodeId('n1'), run: asRun(1), number }, command: { kind: 'nodeStarted' } }
}

function send(checks: NumberChecks, sending: number, ...numbers: readonly number[]): void {
  checks.sent({ kind: 'forward', sending, commands: numbers.map((number) => encodeCommand(numbered(number))) })
}

function apply(checks: NumberChecks, ...numbers: readonly number[]): void {
  checks.applied(numbers.map(numbered))
}

t.test('21 commands in their order are right, also when they come again', async (t) => {
  const checks = new NumberChecks()
  send(checks, 1, 1, 2, 3)
  send(checks, 2, 2, 3, 4)
  apply(checks, 1, 2)
  apply(checks, 2, 3, 4, 3, 4)
  t.pass('nobody objects')
})

t.test('H20 a sending out of order is seen', async (t) => {
  t.throws(() => send(new NumberChecks(), 1, 2, 1), /^21: n1 sends command 1 behind 2/)
})

t.test('H21 a command that overtakes one of its own sending is seen', async (t) => {
  const checks = new NumberChecks()
  send(checks, 1, 1, 2)
  t.throws(() => apply(checks, 2, 1), /^21: n1 sent command 1 \(nodeStarted\) before 2, the log has it behind/)
})

t.test('H21 a copy of a later command that travelled alone may overtake', async (t) => {
  const checks = new NumberChecks()
  send(checks, 1, 1, 2)
  send(checks, 2, 2)
  apply(checks, 2, 1)
  t.pass('nobody objects')
})

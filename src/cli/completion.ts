// `holdfast completion bash|zsh`: scripts for the shells, made from the definitions of the commands, so that they know
// exactly what there is. Behind `--` stands another program's command line, which the shell completes as if it stood alone.
import { Argument } from 'commander'
import type { Command } from 'commander'
import { withExamples } from './flags.ts'

const shells = ['bash', 'zsh'] as const

export function addCompletion(program: Command): void {
  withExamples(
    program.command('completion'),
    'eval "$(holdfast completion bash)"                        # in ~/.bashrc',
    'holdfast completion zsh > "${fpath[1]}/_holdfast"         # once',
  )
    .summary('prints a completion script for a shell')
    .description('Prints a script that teaches the shell the commands and flags of holdfast.')
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell: (typeof shells)[number]) => {
      process.stdout.write(shell === 'bash' ? bashScript(program) : zshScript(program))
    })
}

interface Flag {
  readonly long: string
  readonly about: string
  readonly takesValue: boolean
}

interface Verb {
  readonly name: string
  readonly about: string
  readonly flags: readonly Flag[]
  readonly choices: readonly string[]
  readonly runsCommand: boolean
}

function verbsOf(program: Command): readonly Verb[] {
  const help = program.createHelp()
  return help.visibleCommands(program).map((command) => ({
    name: command.name(),
    about: help.subcommandDescription(command),
    flags: help
      .visibleOptions(command)
      .flatMap(({ long, description, required, optional }) =>
        long === undefined || long === null ? [] : [{ long, about: description, takesValue: required || optional }],
      ),
    choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    runsCommand: command.registeredArguments.some((argument) => argument.name() === 'command'),
  }))
}

export function bashScript(program: Command): string {
  const verbs = verbsOf(program)
  const words = (list: readonly string[]): string => list.join(' ')
  const valued = [...new Set(verbs.flatMap(({ flags }) => flags.filter(({ takesValue }) => takesValue)).map(longOf))]
  const cases = verbs.map(
    ({ name, flags, choices }) => `    ${name}) words='${words([...flags.map(longOf), ...choices])}' ;;`,
  )
  return `# bash completion of holdfast
_holdfast() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} verb=\${COMP_WORDS[1]} words i
  COMPREPLY=()
  # Behind -- stands a command of its own.
  for ((i = 2; i < COMP_CWORD; i++)); do
    if [[ \${COMP_WORDS[i]} == -- ]]; then
      if declare -F _command_offset >/dev/null; then _command_offset $((i + 1))
      elif ((COMP_CWORD == i + 1)); then COMPREPLY=($(compgen -c -- "$word"))
      else COMPREPLY=($(compgen -f -- "$word")); fi
      return
    fi
  done
  case $before in
    ${valued.join('|')}) return ;;
  esac
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${words(verbs.map(({ name }) => name))}' -- "$word"))
    return
  fi
  case $verb in
${cases.join('\n')}
    *) return ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _holdfast holdfast
`
}

export function zshScript(program: Command): string {
  const verbs = verbsOf(program)
  const cases = verbs.map((verb) => `      ${verb.name}) _arguments -s ${zshArguments(verb).join(' ')} ;;`)
  return `#compdef holdfast
# zsh completion of holdfast
_holdfast() {
  local context state state_descr line
  typeset -A opt_args
  _arguments -C '1:command:->verb' '*::argument:->rest'
  case $state in
    verb)
      local -a verbs
      verbs=(
${verbs.map(({ name, about }) => `        ${quoted(`${name}:${about}`)}`).join('\n')}
      )
      _describe -t commands command verbs
      ;;
    rest)
      case $words[1] in
${cases.join('\n')}
      esac
      ;;
  esac
}
if [[ $funcstack[1] == _holdfast ]]; then _holdfast "$@"; else compdef _holdfast holdfast; fi
`
}

function zshArguments({ flags, choices, runsCommand }: Verb): readonly string[] {
  const ofFlags = flags.map(({ long, about, takesValue }) => {
    const text = about.replaceAll(/[[\]:\\]/g, '\\$&')
    return quoted(takesValue ? `${long}=[${text}]: :` : `${long}[${text}]`)
  })
  if (choices.length > 0) return [...ofFlags, quoted(`1: :(${choices.join(' ')})`)]
  return runsCommand ? [...ofFlags, quoted('1: :'), quoted('*::command:_normal')] : ofFlags
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

function longOf({ long }: Flag): string {
  return long
}

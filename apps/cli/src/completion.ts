/** Completion scripts for bash and zsh, made from the command tree. */
import type { Command } from "commander";

/** A shell that is served. */
export type Shell = "bash" | "zsh";

/** A command with what may follow it. */
interface Node {
  /** "mount add"; "" for the root. */
  readonly path: string;
  readonly about: string;
  readonly commands: readonly { readonly name: string; readonly about: string }[];
  readonly options: readonly { readonly flag: string; readonly about: string }[];
}

function nodes(command: Command, path: string): Node[] {
  const commands = command.commands.filter((child) => child.name() !== "help");
  const options = command.createHelp().visibleOptions(command);
  const node: Node = {
    path,
    about: command.description(),
    commands: commands.map((child) => ({ name: child.name(), about: child.description() })),
    options: options.flatMap(({ long, description }) => (long ? [{ flag: long, about: description }] : [])),
  };
  return [node, ...commands.flatMap((child) => nodes(child, `${path} ${child.name()}`.trim()))];
}

function bash(program: Command): string {
  const cases = nodes(program, "").map(({ path, commands, options }) => {
    const words = [...commands.map(({ name }) => name), ...options.map(({ flag }) => flag)].join(" ");
    return `    "${path}") words="${words}" ;;`;
  });
  return `# Completion of ringlight for bash. Use it by:  source <(ringlight completion bash)
_ringlight() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in
      -*|/*|*=*) ;;
      *) if _ringlight_words "\${path:+$path }$word" >/dev/null; then path="\${path:+$path }$word"; fi ;;
    esac
  done
  words="$(_ringlight_words "$path")"
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
_ringlight_words() {
  local words
  case "$1" in
${cases.join("\n")}
    *) return 1 ;;
  esac
  printf '%s' "$words"
}
complete -o default -F _ringlight ringlight
`;
}

/** Text between single quotes of an _describe entry: quotes and colons are escaped. */
function zshText(text: string): string {
  return text.replaceAll("'", "'\\''").replaceAll(":", "\\:");
}

function zsh(program: Command): string {
  const cases = nodes(program, "").map(({ path, commands, options }) => {
    const entries = [
      ...commands.map(({ name, about }) => `'${name}:${zshText(about)}'`),
      ...options.map(({ flag, about }) => `'${flag}:${zshText(about)}'`),
    ];
    return `    '${path}') entries=(${entries.join(" ")}) ;;`;
  });
  return `#compdef ringlight
# Completion of ringlight for zsh. Use it by:  source <(ringlight completion zsh)
_ringlight_entries() {
  case "$1" in
${cases.join("\n")}
    *) return 1 ;;
  esac
}
_ringlight() {
  local -a entries
  local path_so_far="" word
  for word in "\${words[@]:1:$((CURRENT - 2))}"; do
    case "$word" in
      -*|/*|*=*) ;;
      *) if _ringlight_entries "\${path_so_far:+$path_so_far }$word"; then path_so_far="\${path_so_far:+$path_so_far }$word"; fi ;;
    esac
  done
  _ringlight_entries "$path_so_far"
  _describe 'ringlight' entries
  _files
}
compdef _ringlight ringlight
`;
}

/** The script that teaches a shell the command tree. */
export function completionScript(program: Command, shell: Shell): string {
  return shell === "bash" ? bash(program) : zsh(program);
}

// What first user and invited users have in common: a token that works once, and two times the same password.

/** Say what is wrong with a password that was typed twice, before it is sent. */
export function repeatedWrong(password: string, again: string): string {
  return password === again ? "" : "the two passwords are not the same";
}

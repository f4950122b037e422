# Steps of a script that take their time, with how long each took. Sourced, not run.

steps_begun=$SECONDS
step_name=
step_begun=
step_times=()

end_step() {
  if [[ -n $step_name ]]; then
    step_times+=("$(printf '%5d s  %s' $((SECONDS - step_begun)) "$step_name")")
  fi
  step_name=
}

# step NAME: ends the step before and begins this one.
step() {
  end_step
  step_name=$*
  step_begun=$SECONDS
  printf '\n== %s\n' "$*"
}

# Prints the time of every step; of use at the end, however it comes.
report_steps() {
  end_step
  printf '\n'
  printf '%s\n' "${step_times[@]}"
  printf '%5d s  altogether\n' $((SECONDS - steps_begun))
}

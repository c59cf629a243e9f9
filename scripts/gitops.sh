# How the delivery scripts read and change the repository that holds gitops/. Sourced after lib.sh, not run.
# shellcheck shell=bash

# Argo CD follows this branch, in every environment.
branch=main
# the digest in the values until the first release
none=sha256:$(printf '0%.0s' {1..64})

# Changes to a clean work tree of that repository, at the newest commit of the branch.
enter_gitops() {
  local on
  if [ -n "${GITOPS_REPOSITORY:-}" ]; then
    gitops_clone=$(mktemp -d)
    trap 'rm -rf "$gitops_clone"' EXIT
    git clone -q --branch "$branch" "$GITOPS_REPOSITORY" "$gitops_clone"
    cd "$gitops_clone" || exit
  else
    cd "${service:?}" || exit
    on=$(git symbolic-ref -q --short HEAD) || die "HEAD is detached: check out $branch"
    [ "$on" = "$branch" ] || die "the current branch is $on, but Argo CD follows $branch: check out $branch"
    [ -z "$(git status --porcelain)" ] || die "the work tree is dirty: see git status"
  fi
  follow_branch
}

follow_branch() {
  git fetch -q origin "$branch"
  [ -z "$(git rev-list "origin/$branch..HEAD")" ] || die "$branch has commits that are not pushed"
  git merge -q --ff-only "origin/$branch"
}

values_of() { echo "gitops/environments/$1/birthday-api.yaml"; }

# digest_in ENVIRONMENT: the digest that it holds now
digest_in() {
  local found
  found=$(sed -n 's/^  digest: //p' "$(values_of "$1")")
  need_digest "$found"
  echo "$found"
}

# digests_of ENVIRONMENT: all digests that it has held, newest first
digests_of() { git log --format= -p -U0 -- "$(values_of "$1")" | awk -v none="$none" '/^\+  digest: / && $3 != none { print $3 }'; }

# write_digest ENVIRONMENT DIGEST: changes exactly one line, or fails
write_digest() {
  local file
  file=$(values_of "$1")
  sed -i "s/^  digest: .*/  digest: $2/" "$file"
  [ "$(git diff --numstat)" = "$(printf '1\t1\t%s' "$file")" ] || die "$file: expected exactly one line to change"
}

# serves_in_staging DIGEST: whether staging has reported that it serves this image and no other. Argo CD reports it as the commit
# status `staging/DIGEST` of the commit that it synced (gitops/apps/templates/argo-cd.yaml).
#   STAGING_CONTEXT   kubectl context of staging, to ask its Application instead; KUBECONFIG names the file that has it
serves_in_staging() {
  local changed commit found
  if [ -n "${STAGING_CONTEXT:-}" ]; then
    found=$(kubectl --context "$STAGING_CONTEXT" get application birthday-api -n argocd -o json) || die "staging's cluster does not answer"
    jq -e --arg ours "$IMAGE_REPOSITORY@" --arg digest "$1" '.status | .health.status == "Healthy" and .sync.status == "Synced"
      and [.summary.images[]? | select(startswith($ours))] == [$ours + $digest]' <<<"$found" >/dev/null
    return
  fi
  # Argo CD always syncs the newest commit: the one that wrote the digest, or one of the next few.
  for changed in $(git log --format=%H -S "$1" -- "$(values_of staging)"); do
    for commit in "$changed" $(git rev-list --first-parent --reverse "$changed..HEAD" | sed -n 1,10p); do
      # the newest status comes first
      found=$(gh api "repos/{owner}/{repo}/commits/$commit/statuses" --jq "map(select(.context == \"staging/$1\"))[0].state") || die "GitHub does not answer"
      [ "$found" != success ] || return 0
    done
  done
  return 1
}

# propose BRANCH TITLE BODY: opens a pull request for the commit at HEAD
propose() {
  git push -q --force origin "HEAD:refs/heads/$1"
  git reset -q --hard "origin/$branch"
  if [[ $(git config remote.origin.url) != *github.com* ]]; then
    say "$1 is pushed: merge it into $branch"
    return
  fi
  gh pr list --head "$1" --state open --json url --jq '.[].url' | grep . || gh pr create --base "$branch" --head "$1" --title "$2" --body "$3"
}

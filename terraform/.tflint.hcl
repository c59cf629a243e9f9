# The rules that come with tflint; its AWS rules are a plug-in that is downloaded from GitHub.
plugin "terraform" {
  enabled = true
  preset  = "all"
}

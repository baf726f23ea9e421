package evaluate

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var mutableSource = Rule{
	ID: "registry/mutable-source", Severity: spec.Warning, Kind: "model_version",
	Summary: "The artifact can change under its version",
	Check: judge(func(s *versionSubject) Verdict {
		source, digest := s.declared.Source, s.declared.Digest
		if spec.AnyUnknown(source, digest) {
			return later
		}
		if digest.IsKnown() {
			return pass
		}
		why, fix := mutable(source.Or(""))
		if why == "" {
			return pass
		}
		return found(spec.Finding{
			Path:   source.Path(),
			Detail: fmt.Sprintf("The source is %q: %s. Whoever loads this version later may get another artifact than the one that was tested.", source.Or(""), why),
			Fix:    fmt.Sprintf("%s; or declare the artifact's digest (digest = \"sha256:...\", from sha256sum), which settles what the version is.", fix),
		})
	}),
}

var (
	// contentDigest is a digest inside a reference: image@sha256:...
	contentDigest = regexp.MustCompile(`@sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})(?:$|[/?#])`)
	commitHash    = regexp.MustCompile(`^[0-9a-f]{40}(?:[0-9a-f]{24})?$`)
	mlflowID      = regexp.MustCompile(`^(?:m-)?[0-9a-f]{32}$`)
	digitsOnly    = regexp.MustCompile(`^[0-9]+$`)
	versionWord   = regexp.MustCompile(`^v[0-9]+$`)
)

// mutable says why what a source refers to can change, and which reference of the
// same form cannot; nothing where it cannot, or where its scheme is not known.
func mutable(source string) (why, fix string) {
	if contentDigest.MatchString(source) {
		return "", ""
	}
	scheme, rest, hasScheme := strings.Cut(source, ":")
	scheme = strings.ToLower(scheme)
	switch {
	case strings.HasPrefix(source, "git@"): // git@host:owner/name
		return mutableGit(splitReference(rest))
	case !hasScheme || len(scheme) < 2 || strings.ContainsAny(scheme, "/.@"): // a path, C:\path, or an image
		return mutableUnschemed(source)
	}
	path, query, fragment := splitReference(rest)
	switch scheme {
	case "runs", "ipfs":
		return "", ""
	case "models":
		return mutableModel(path)
	case "mlflow-artifacts":
		for segment := range strings.SplitSeq(path, "/") {
			if mlflowID.MatchString(segment) {
				return "", ""
			}
		}
		return "a path of artifacts that belongs to no run can be written again", `Refer to the run: "runs:/RUN_ID/model"`
	case "s3", "s3a", "s3n":
		if query.Has("versionId") && query.Get("versionId") != "null" {
			return "", ""
		}
		return "an S3 key can be written again", "Turn on versioning for the bucket, and append ?versionId=... as the upload's answer gives it"
	case "gs":
		if digitsOnly.MatchString(fragment) {
			return "", ""
		}
		return "an object of Cloud Storage can be written again", "Append #GENERATION, as the upload's answer gives it"
	case "wasb", "wasbs", "abfs", "abfss", "dbfs", "hdfs", "webhdfs", "file", "pvc", "sftp", "ftp", "nfs":
		return fmt.Sprintf("a path in %s: storage can be written again", scheme), "Refer to a store that keeps versions of its objects"
	case "docker", "docker-daemon", "oci", "oci-archive":
		return "a tag of an image can be moved to another one", "Refer to the image by digest: image@sha256:..."
	case "hf", "huggingface", "modelscope":
		if commit, ok := revision(path, query); ok && commitHash.MatchString(commit) {
			return "", ""
		}
		return "a branch or tag of a repository can be moved", "Refer to a commit: " + scheme + "://OWNER/NAME@COMMIT, the 40 digits in full"
	case "wandb", "wandb-artifact":
		if _, tag, ok := strings.Cut(lastSegment(path), ":"); ok && versionWord.MatchString(tag) {
			return "", ""
		}
		return "an alias of an artifact can be moved", "Refer to a version, such as :v3"
	case "http", "https":
		return mutableWeb(path, query)
	case "git", "ssh":
		return mutableGit(path, query, fragment)
	}
	switch {
	case strings.HasPrefix(scheme, "git+"):
		return mutableGit(path, query, fragment)
	case !strings.HasPrefix(rest, "/"): // image:tag, localhost:5000/image:tag
		return mutableUnschemed(source)
	}
	if last := strings.ToLower(lastSegment(path)); strings.HasSuffix(last, ":latest") || strings.HasSuffix(last, "@latest") || last == "latest" {
		return "\"latest\" is another artifact after the next upload", "Refer to a version by its number or digest"
	}
	return "", ""
}

// splitReference takes a reference without its scheme apart.
func splitReference(rest string) (path string, query url.Values, fragment string) {
	rest, fragment, _ = strings.Cut(rest, "#")
	path, raw, _ := strings.Cut(rest, "?")
	query, err := url.ParseQuery(raw)
	if err != nil {
		query = url.Values{}
	}
	return path, query, fragment
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// revision is what a reference names of a repository: name@revision,
// name:revision or ?revision=.
func revision(path string, query url.Values) (string, bool) {
	for _, name := range []string{"revision", "ref", "rev", "commit", "sha"} {
		if query.Has(name) {
			return query.Get(name), true
		}
	}
	if at := strings.LastIndexAny(path, "@:"); at >= 0 {
		name, _, _ := strings.Cut(path[at+1:], "/")
		return name, true
	}
	return "", false
}

// mutableModel judges MLflow's own references: models:/name/3, models:/m-<id>.
func mutableModel(path string) (why, fix string) {
	name, version, _ := strings.Cut(strings.Trim(path, "/"), "/")
	switch {
	case mlflowID.MatchString(name) || digitsOnly.MatchString(version):
		return "", ""
	case strings.Contains(name, "@"):
		alias := name[strings.IndexByte(name, '@')+1:]
		return fmt.Sprintf("the alias %q can be moved to another version", alias), "Refer to the version by its number: models:/NAME/3"
	}
	return fmt.Sprintf("%q is another version after the next registration or transition", version), "Refer to the version by its number: models:/NAME/3"
}

func mutableGit(path string, query url.Values, fragment string) (why, fix string) {
	commit, _ := revision(strings.TrimLeft(path, "/"), query)
	for _, candidate := range []string{commit, fragment} {
		if commitHash.MatchString(candidate) {
			return "", ""
		}
	}
	return "a branch or tag of a repository can be moved", "Refer to a commit, the 40 digits in full: @COMMIT or ?ref=COMMIT"
}

func mutableWeb(path string, query url.Values) (why, fix string) {
	for _, name := range []string{"versionId", "versionid", "snapshot", "generation"} {
		if value := query.Get(name); value != "" && value != "null" {
			return "", ""
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		if commitHash.MatchString(segment) { // .../resolve/COMMIT/model.safetensors
			return "", ""
		}
	}
	return "what a web address answers can change", "Refer to an address that has a version or a commit in it"
}

// mutableUnschemed judges references without a scheme: paths and images.
func mutableUnschemed(source string) (why, fix string) {
	first, _, _ := strings.Cut(source, "/")
	host := strings.ContainsAny(first, ".:") && first != "." && first != ".." && first != source
	if !strings.Contains(source, `\`) && (host || strings.Contains(lastSegment(source), ":")) {
		return "a tag of an image can be moved to another one", "Refer to the image by digest: image@sha256:..."
	}
	return "a file can be written again", "Refer to a store that keeps versions of its objects"
}

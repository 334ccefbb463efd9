#!/bin/sh
# Prints the home of a Java that Spark 4.3 runs on (17 or later, the oldest found first); prints nothing and fails where there is none.
# Looked at in this order: $JAVA_HOME, java on PATH, the folders where systems and Homebrew keep their Javas.
# HEADWATER_JVM_FOLDERS replaces those folders.
set -u

# Prints "<version> <home>" of the Java started by $1, nothing if it does not start.
describe() {
    "$1" -XshowSettings:properties -version 2>&1 </dev/null | awk -F' = ' '
        $1 ~ /^ *java.home$/ { home = $2 }
        $1 ~ /^ *java.specification.version$/ { split($2, part, "."); version = (part[1] == 1) ? part[2] : part[1] }
        END { if (home != "" && version != "") print version, home }'
}

# Prints the home and ends if the Java started by $1 is recent enough.
accept() {
    found=$(describe "$1")
    [ -n "$found" ] && [ "${found%% *}" -ge 17 ] 2>/dev/null && printf '%s\n' "${found#* }" && exit 0
}

[ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ] && accept "$JAVA_HOME/bin/java"
on_path=$(command -v java) && accept "$on_path"
folders=${HEADWATER_JVM_FOLDERS-/usr/lib/jvm /Library/Java/JavaVirtualMachines /opt/homebrew/opt /usr/local/opt /home/linuxbrew/.linuxbrew/opt}
for version in 17 21 25; do
    for folder in $folders; do
        for home in "$folder"/*"$version"*; do
            for java in "$home/bin/java" "$home/Contents/Home/bin/java" "$home/libexec/openjdk.jdk/Contents/Home/bin/java"; do
                [ -x "$java" ] && accept "$java"
            done
        done
    done
done
exit 1

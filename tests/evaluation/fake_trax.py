"""A TraX tracker in few lines of its own, not of ours: says that the target moves by one pixel."""

import re
import sys


def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else "good"
    if mode == "silent":
        sys.stdin.read()
    print("loading, please wait", flush=True)
    print('@@TRAX:hello "trax.version=1" "trax.region=rectangle;" "trax.image=path;"', flush=True)
    box = []
    for line in sys.stdin:
        if line.startswith("@@TRAX:quit"):
            break
        arguments = re.findall(r'"([^"]*)"', line)
        if line.startswith("@@TRAX:initialize"):
            box = [float(word) for word in arguments[1].split(",")]
        elif mode == "dies":
            sys.exit("out of memory")
        elif mode == "nonsense":
            print('@@TRAX:state "around there"', flush=True)
            continue
        else:
            box[0] += 1
        left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
        if mode == "polygon":
            region = f"{left},{top},{right},{top},{right},{bottom},{left},{bottom}"
        else:
            region = ",".join(str(value) for value in box)
        print(f'@@TRAX:state "{region}" "confidence=0.25"', flush=True)


if __name__ == "__main__":
    main()
